"""Mistakes in the set-up: the component and the console show each with advice, and retry."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Route, expect

from api.pages import BUILT
from dev.processes import free_port
from dev.stack import Stack
from tests.browser.conftest import OpenBrowser
from tests.browser.support.front import Front
from tests.browser.support.own_page import OwnPage, answer_with, element
from tests.support import wait_for
from tests.support.people import Person
from tests.support.stack import token_for

RETRIED = 60_000  # milliseconds; retries come after one second, two, four, …
PROBLEM = "application/problem+json"


def open_noting(context: BrowserContext, stack: Stack, body: str) -> tuple[OwnPage, list[str]]:
    """The page, and the lines of its console."""
    page = context.new_page()
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(f"{message.type} {message.text}")

    page.on("console", note)
    return answer_with(page, stack, body), said


def expect_said(said: list[str], words: str, level: str = "error") -> None:
    wait_for(lambda: any(line.startswith(level) and words in line for line in said), 20, f"the console to say {words}")


@pytest.mark.parametrize(
    ("token", "says", "advises"),
    [
        (None, "There is no token.", "Give a token by the attribute `token`"),
        ("open sesame", "This is not a token.", "Give a JWT"),
        (token_for("bob", "notify"), "The token does not allow this.", "Sign the token with `inbox` in its claim"),
        (token_for("bob", ttl_seconds=-60), "The token was refused.", "It has expired, or it is signed with another"),
    ],
    ids=["none", "garbage", "without-scope", "expired"],
)
def test_a_wrong_token_is_said_until_there_is_a_good_one(
    open_browser: OpenBrowser, stack: Stack, token: str | None, says: str, advises: str
) -> None:
    page, said = open_noting(open_browser(), stack, element(stack, token))
    page.expect_badge("!")
    page.open()
    expect(page.notice).to_contain_text(f"{says} {advises.replace('`', '')}")
    expect(page.notice.get_by_role("button", name="Try again")).to_be_visible()
    expect(page.status()).to_have_text("Not connected")
    expect_said(said, f"<belfry-inbox>: {says} {advises}")
    page.host.evaluate("(host, token) => host.setAttribute('token', token)", token_for("bob"))
    page.expect_online()
    expect(page.notice).to_be_hidden()


def test_a_token_that_nobody_can_renew_now_is_asked_for_again(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    page = open_browser().new_page()
    gives: dict[str, Any] = {"status": 500, "body": ""}
    page.route("**/token", lambda route: route.fulfill(**gives))
    fetch = "const got = await fetch('/token'); if (!got.ok) throw new Error('no session'); return got.text();"
    script = f"<script>document.querySelector('belfry-inbox').getToken = async () => {{ {fetch} }};</script>"
    own = answer_with(page, stack, element(stack, None, "inline", push="") + script)
    expect(own.notice).to_contain_text("getToken failed: no session")
    gives |= {"status": 200, "body": token_for(bob, ttl_seconds=-60)}
    expect(own.notice).to_contain_text("The token was refused.", timeout=RETRIED)
    gives |= {"body": token_for(bob)}
    expect(own.status()).to_contain_text("looking every few seconds", timeout=RETRIED)
    expect(own.notice).to_be_hidden()


@pytest.mark.parametrize(
    ("says", "words", "advice"),
    [
        ((200, "text/html", "<!doctype html>"), "What answered is not Belfry.", "Give the address of Belfry's API"),
        (
            (404, "text/html", "<h1>No</h1>"),
            "What answered (404) is not Belfry.",
            "Something else answers there",
        ),
        ((200, "application/json", '{"items": []}'), "The server's answer is not understood.", "much older or newer"),
        ((404, PROBLEM, '{"code": "not_found"}'), "The server does not know this call.", "much older or newer"),
        ((503, PROBLEM, '{"code": "database_unavailable"}'), "The server answered 503.", "cannot serve now"),
    ],
    ids=["a-page", "a-404", "older-shape", "older-call", "out-of-order"],
)
def test_what_is_not_this_belfry_is_said_and_tried_again_until_it_is(
    open_browser: OpenBrowser, stack: Stack, bob: str, says: tuple[int, str, str], words: str, advice: str
) -> None:
    front = Front(stack, says)
    with front.listening() as address:
        page, said = open_noting(open_browser(), stack, element(stack, token_for(bob), api=address))
        page.expect_badge("!")
        page.open()
        expect(page.notice).to_contain_text(words)
        expect(page.notice).to_contain_text(advice)
        expect_said(said, words)
        front.mend()
        expect(page.status()).to_have_text("Online", timeout=RETRIED)
        expect(page.notice).to_be_hidden()
        page.expect_badge(0)


def test_an_address_where_nobody_answers_is_said_and_tried_again_until_somebody_does(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    page, said = open_noting(open_browser(), stack, element(stack, token_for(bob), "inline", api=address))
    expect(page.notice).to_contain_text(f"{address} cannot be reached. Is Belfry running, and is this its address?")
    expect_said(said, f"{address} cannot be reached.")
    with Front(stack).listening(port):
        expect(page.status()).to_have_text("Online", timeout=RETRIED)


@pytest.mark.parametrize("address", ["ftp://belfry.example.com", "http://"])
def test_what_is_no_address_is_said(open_browser: OpenBrowser, stack: Stack, bob: str, address: str) -> None:
    page, said = open_noting(open_browser(), stack, element(stack, token_for(bob), "inline", api=address))
    expect(page.notice).to_contain_text(f"“{address}” is not an address. Give an address such as")
    expect_said(said, "is not an address")


def test_a_page_whose_origin_is_not_listed_is_told_so_until_it_is(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    front = Front(stack, lets_in=False)
    with front.listening() as address:
        page, said = open_noting(open_browser(), stack, element(stack, token_for(bob), "inline", api=address))
        expect(page.notice).to_contain_text(f"{address} does not answer pages of {stack.api_url}.")
        expect(page.notice).to_contain_text("List this page's origin in the server's CORS_ORIGINS")
        expect_said(said, "CORS_ORIGINS")
        front.mend()
        expect(page.status()).to_have_text("Online", timeout=RETRIED)


def test_the_api_itself_refuses_a_page_whose_origin_is_not_listed(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    page = open_browser().new_page()
    script = (BUILT / "belfry-inbox.js").read_text()
    page.route("**/belfry-inbox.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    html = f"{element(stack, token_for(bob), 'inline')}<script type='module' src='/belfry-inbox.js'></script>"
    with Front(stack, (200, "text/html", html)).listening() as elsewhere:
        page.goto(elsewhere)
        expect(OwnPage(page).notice).to_contain_text(f"{stack.api_url} does not answer pages of {elsewhere}.")


@pytest.mark.parametrize("push", ["http://127.0.0.1:9", "nowhere at all", ""])
def test_without_the_push_server_it_looks_by_itself_and_says_why_in_the_console(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, push: str
) -> None:
    line = element(stack, token_for(bob), "inline poll='0.3'", push=push)
    page, said = open_noting(open_browser(), stack, line)
    expect(page.status()).to_have_text("No live connection; looking every few seconds")
    expect(page.notice).to_be_hidden()
    shop.notify(recipients=[bob], title="one")
    expect(page.titles).to_have_text(["one"])
    if push:
        expect_said(said, f"There is no live connection to {push}. Is the push server running", "warning")


def test_a_newer_servers_fields_severities_kinds_and_changes_do_no_harm(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="one", kind="hologram.sent")
    Person(bob, stack).expect_stored(1)

    def renew(route: Route) -> None:
        answer = route.fetch()
        told = answer.json() | {"mood": "fine"}
        items = [item | {"severity": "critical", "reactions": ["+1"]} for item in told.get("items", [])]
        changes = [change | {"change": "pinned"} for change in told.get("changes", [])]
        told |= ({"items": items} if "items" in told else {}) | ({"changes": changes} if "changes" in told else {})
        route.fulfill(response=answer, body=json.dumps(told))

    context = open_browser()
    context.route(re.compile(r"/v1/inbox(\?|/changes)"), renew)
    page, said = open_noting(context, stack, element(stack, token_for(bob), "inline", push=""))
    expect(page.titles).to_have_text(["one"])
    shop.notify(recipients=[bob], title="two")
    Person(bob, stack).expect_stored(2)
    page.host.evaluate("host => host.inbox.refresh()")
    expect(page.titles).to_have_text(["two", "one"])
    assert [line for line in said if line.startswith("error")] == []

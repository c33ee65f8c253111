"""Actions without a network: shown at once, and sent when the network is back."""

import requests
from playwright.sync_api import expect

from api.pages import BUILT
from dev.stack import Stack
from tests.browser.conftest import OpenBrowser
from tests.browser.support.front import Front
from tests.browser.support.own_page import OpenOwnPage, OwnPage, choose, element
from tests.support import wait_for
from tests.support.people import Person
from tests.support.stack import token_for

SHORT = 15  # seconds; a token that expires during the test
OFFLINE = "Offline; showing what was here"


def test_what_is_marked_without_the_network_waits_and_is_so_everywhere_on_return(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    for title in ("one", "two", "three"):
        shop.notify(recipients=[bob], title=title)
    here, elsewhere = own_page(token_for(bob), "inline"), own_page(token_for(bob), "inline")
    for page in (here, elsewhere):
        page.expect_online()
        expect(page.items).to_have_count(3)
    here.page.context.set_offline(True)
    expect(here.status()).to_have_text(OFFLINE)
    here.item("one").click()
    choose(here, "two", "Archive")
    here.item("three").focus()
    here.page.keyboard.press("Delete")
    expect(here.status()).to_have_text(f"{OFFLINE} · 3 changes wait to be sent")
    expect(here.titles).to_have_text(["one"])
    here.expect_unread(0)
    expect(here.notice).to_be_hidden()
    shop.notify(recipients=[bob], title="four")
    expect(elsewhere.items).to_have_count(4)
    elsewhere.expect_unread(4)
    here.page.context.set_offline(False)
    for page in (here, elsewhere):
        expect(page.titles).to_have_text(["four", "one"])
        page.expect_unread(1)
    expect(here.status()).to_have_text("Online", timeout=60_000)


def test_two_tabs_that_marked_without_the_network_agree_on_return(
    own_page: OpenOwnPage, stack: Stack, shop: Person, bob: str
) -> None:
    for title in ("one", "two", "three"):
        shop.notify(recipients=[bob], title=title)
    first = own_page(token_for(bob), "inline")
    second = own_page(token_for(bob), "inline", beside=first)
    elsewhere = own_page(token_for(bob), "inline")
    for page in (first, second, elsewhere):
        page.expect_online()
        expect(page.items).to_have_count(3)
    first.page.context.set_offline(True)
    for page in (first, second):
        expect(page.status()).to_have_text(OFFLINE)
    first.item("one").click()
    choose(second, "one", "Delete")
    choose(second, "two", "Archive")
    expect(first.status()).to_have_text(f"{OFFLINE} · 1 change waits to be sent")
    expect(second.status()).to_have_text(f"{OFFLINE} · 2 changes wait to be sent")
    first.page.context.set_offline(False)
    for page in (first, second, elsewhere):
        expect(page.titles).to_have_text(["three"])
        page.expect_unread(1)
        expect(page.status()).to_have_text("Online", timeout=60_000)
        expect(page.notice).to_be_hidden()
    assert [item["title"] for item in Person(bob, stack).items("archived")] == ["two"]


def test_an_item_is_read_although_its_link_leads_away_from_the_page_at_once(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="Order 41", url="/orders/41")
    front = Front(stack)
    script = f"<script type='module'>{(BUILT / 'belfry-inbox.js').read_text()}</script>"
    with front.listening() as api:
        line = element(stack, token_for(bob), "inline", api=api)
        with Front(
            stack, (200, "text/html", line + script)
        ).listening() as site:  # Playwright's routes hide preflight requests
            page = OwnPage(open_browser().new_page())
            page.page.goto(site)
            page.expect_unread(1)
            front.gate.clear()
            page.items.get_by_role("link").click()
            page.page.wait_for_url("**/orders/41")
            page.page.goto("about:blank")
            front.gate.set()
            wait_for(lambda: Person(bob, stack).summary()["unread"] == 0, 20, "the item to be read")


def test_what_waits_outlives_the_token_and_is_sent_with_the_next(
    own_page: OpenOwnPage, stack: Stack, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    token = token_for(bob, ttl_seconds=SHORT)
    page = own_page(token, "inline")
    page.expect_unread(1)
    page.page.context.set_offline(True)
    page.items.click()
    summary = stack.api_url + "/v1/inbox/summary"
    mine = {"Authorization": f"Bearer {token}"}
    wait_for(lambda: requests.get(summary, headers=mine, timeout=5).status_code == 401, 40, "the token's end")
    page.page.context.set_offline(False)
    expect(page.notice).to_contain_text("The token was refused.")
    page.notice.get_by_role("button", name="Try again").click()
    expect(page.status()).to_have_text("Not connected · 1 change waits to be sent")
    page.expect_unread(0)
    page.host.evaluate("(host, token) => host.setAttribute('token', token)", token_for(bob))
    expect(page.notice).to_be_hidden()
    wait_for(lambda: Person(bob, stack).summary()["unread"] == 0, 20, "the item to be read")

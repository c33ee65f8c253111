"""Fixtures that drive a real Chromium against the whole system: real processes on SQLite and the embedded broker."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from api.pages import BUILT
from dev.install import find_chromium
from dev.stack import Stack
from tests.browser.support.own_page import OpenOwnPage, OwnPage, answer_with, element
from tests.browser.support.pane import Pane
from tests.support.needs import skip_or_fail
from tests.support.people import Person
from tests.support.stack import token_for

EXPECT_TIMEOUT = 10_000  # milliseconds; shorter than the poll interval with a socket, so changes came by the socket
ARGUMENTS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=LocalNetworkAccessChecks",  # a page that a test serves has no IP address
]

OpenPage = Callable[..., Page]
OpenBrowser = Callable[..., BrowserContext]


def launch_options() -> dict[str, Any]:
    """Options for the Chromium that BELFRY_CHROMIUM names, or this machine's."""
    program = os.environ.get("BELFRY_CHROMIUM") or find_chromium()
    if program is None:
        skip_or_fail("there is no Chromium here; `make test` installs it, or BELFRY_CHROMIUM names one")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # Chromium's sandbox does not work as root
    return {"executable_path": program, "args": [*ARGUMENTS, *sandbox]}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The Chromium that the tests drive."""
    options = launch_options()
    if not (BUILT / "demo.js").exists():
        skip_or_fail("the browser's side is not built; `make setup` does it")
    expect.set_options(timeout=EXPECT_TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**options)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, stack: Stack) -> Iterator[OpenPage]:
    """Opens the demo page in a browser of its own, signed in with the tokens. The test fails on any page error."""
    contexts: list[BrowserContext] = []
    broken: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            broken.append(message.text)

    def open_one(*tokens: str, **context: Any) -> Page:
        contexts.append(chromium.new_context(**context))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("console", note)
        page.goto(f"{stack.api_url}/#" + "&".join(f"person{index}={token}" for index, token in enumerate(tokens)))
        return page

    yield open_one
    close(contexts)
    assert broken == []


@pytest.fixture
def open_browser(chromium: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens browsers, each with a storage of its own. The test fails on any page error."""
    contexts: list[BrowserContext] = []
    broken: list[str] = []

    def open_one(**options: Any) -> BrowserContext:
        contexts.append(chromium.new_context(**options))
        contexts[-1].on("weberror", lambda error: broken.append(str(error.error)))
        return contexts[-1]

    yield open_one
    close(contexts)
    assert broken == []


@pytest.fixture
def own_page(open_browser: Callable[..., BrowserContext], stack: Stack) -> OpenOwnPage:
    """Opens a page with the component for this token, in a browser of its own or in that of another page."""

    def open_one(
        token: str | None, attributes: str = "", *, beside: OwnPage | None = None, lang: str = "en", **options: Any
    ) -> OwnPage:
        context = beside.page.context if beside else open_browser(**options)
        body = element(stack, token, attributes)
        return answer_with(context.new_page(), stack, body, lang)

    return open_one


def close(contexts: Sequence[BrowserContext]) -> None:
    """Close them and drop their routes: a route that waits for its answer would raise in the next test."""
    for context in contexts:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        context.unroute_all(behavior="ignoreErrors")
        context.close()


def someone(name: str) -> str:
    """A name that no other test uses."""
    return f"{name}-{uuid4().hex[:8]}"


@pytest.fixture
def alice() -> str:
    return someone("alice")


@pytest.fixture
def bob() -> str:
    return someone("bob")


@pytest.fixture
def shop(stack: Stack) -> Person:
    """A producer."""
    return Person(someone("shop"), stack, "notify")


@pytest.fixture
def side_by_side(open_page: OpenPage, alice: str, bob: str) -> tuple[Pane, Pane]:
    """Alice and bob on one page, both online."""
    page = open_page(token_for(alice), token_for(bob))
    panes = Pane(page, 0), Pane(page, 1)
    for pane in panes:
        pane.expect_online()
    return panes

"""A socket that died without a close event: the client checks it on return and on `online`, and replaces it."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from dev.stack import Stack
from tests.browser.conftest import EXPECT_TIMEOUT, OpenBrowser
from tests.browser.support.observers import sockets_of
from tests.browser.support.own_page import OwnPage, answer_with, element
from tests.faults.proxy import Proxy
from tests.support import wait_for
from tests.support.people import Person
from tests.support.stack import token_for

SOON = 8_000  # milliseconds: three seconds without an acknowledgement, a new connection, and time for a busy machine
VISIBLE = """visible => {
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => visible ? 'visible' : 'hidden' });
  document.dispatchEvent(new Event('visibilitychange'));
}"""
RETURNS = {
    "visible": f"() => {{ ({VISIBLE})(true); }}",
    "online": "() => { dispatchEvent(new Event('online')); }",
    "pageshow": "() => { dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })); }",
}


@pytest.fixture
def to_push(stack: Stack) -> Iterator[Proxy]:
    proxy = Proxy(urlsplit(stack.push_url).port or 0)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def through_proxy(open_browser: OpenBrowser, stack: Stack, to_push: Proxy, bob: str) -> OwnPage:
    """A page whose socket goes through the proxy; its API calls do not."""
    line = element(stack, token_for(bob), "inline", push=f"http://127.0.0.1:{to_push.port}")
    page = answer_with(open_browser().new_page(), stack, line)
    page.expect_online()
    return page


def record_statuses(page: OwnPage) -> None:
    """Keep each status of the inbox in `seen`: a short one may be over before a test looks at the page."""
    page.host.evaluate("host => { globalThis.seen = new Set(); host.inbox.subscribe((s) => seen.add(s.status)); }")


def expect_not_online_meanwhile(page: OwnPage) -> None:
    page.page.wait_for_function("seen.has('syncing')", timeout=EXPECT_TIMEOUT)


@pytest.mark.parametrize("returns", RETURNS.values(), ids=RETURNS.keys())
def test_on_return_a_socket_that_died_without_a_word_is_replaced_and_not_called_online_meanwhile(
    through_proxy: OwnPage, to_push: Proxy, shop: Person, bob: str, returns: str
) -> None:
    page = through_proxy
    shop.notify(recipients=[bob], title="before")
    expect(page.titles).to_have_text(["before"])
    page.page.evaluate(VISIBLE, False)
    to_push.drop_lines()
    record_statuses(page)
    page.page.evaluate(returns)
    begun = time.monotonic()
    expect_not_online_meanwhile(page)
    shop.notify(recipients=[bob], title="after the return")
    expect(page.titles).to_have_text(["after the return", "before"], timeout=SOON)
    expect(page.status()).to_have_text("Online", timeout=SOON)
    assert time.monotonic() - begun < SOON / 1_000 + 4
    shop.notify(recipients=[bob], title="live again")
    expect(page.titles).to_have_text(["live again", "after the return", "before"])


def test_while_push_says_nothing_at_all_the_page_looks_by_itself_and_is_online_when_it_is_back(
    through_proxy: OwnPage, to_push: Proxy, shop: Person, bob: str
) -> None:
    page = through_proxy
    page.page.evaluate(VISIBLE, False)
    to_push.fall_silent()
    page.page.evaluate(VISIBLE, True)
    expect(page.status()).to_have_text("No live connection; looking every few seconds", timeout=SOON)
    shop.notify(recipients=[bob], title="by looking")
    expect(page.titles).to_have_text(["by looking"])
    to_push.heal()
    expect(page.status()).to_have_text("Online", timeout=60_000)
    shop.notify(recipients=[bob], title="live")
    expect(page.titles).to_have_text(["live", "by looking"])


def test_the_return_to_one_tab_finds_the_dead_socket_of_the_tab_that_leads(
    through_proxy: OwnPage, to_push: Proxy, stack: Stack, shop: Person, bob: str
) -> None:
    leader = through_proxy
    line = element(stack, token_for(bob), "inline", push=f"http://127.0.0.1:{to_push.port}")
    other = answer_with(leader.page.context.new_page(), stack, line)
    other.expect_online()
    assert (leader.state("leads"), other.state("leads")) == (True, False)
    for page in (leader, other):
        page.page.evaluate(VISIBLE, False)
    to_push.drop_lines()
    record_statuses(other)
    other.page.evaluate(VISIBLE, True)
    expect_not_online_meanwhile(other)
    shop.notify(recipients=[bob], title="after the return")
    expect(other.titles).to_have_text(["after the return"], timeout=SOON)
    expect(other.status()).to_have_text("Online", timeout=SOON)
    assert (leader.state("leads"), other.state("leads")) == (True, False)


def acknowledgements(page: Page) -> list[str]:
    """The frames that the page's sockets receive, appended as they come."""
    frames: list[str] = []
    session = page.context.new_cdp_session(page)
    session.on("Network.webSocketFrameReceived", lambda told: frames.append(told["response"]["payloadData"]))
    session.send("Network.enable")
    return frames


def test_on_return_a_socket_that_is_alive_stays_and_is_online_throughout(
    through_proxy: OwnPage, shop: Person, bob: str
) -> None:
    page = through_proxy
    sockets, frames = sockets_of(page.page), acknowledgements(page.page)
    record_statuses(page)

    def acknowledged() -> int:
        page.state("status")  # Playwright hands out events while it waits for an answer
        return sum(frame.startswith("43") for frame in frames)

    for number in range(1, 6):
        for visible in (False, True):
            page.page.evaluate(VISIBLE, visible)
        wait_for(lambda number=number: acknowledged() == number, 10, "the return's acknowledgement")  # type: ignore[misc]
    shop.notify(recipients=[bob], title="live")
    expect(page.titles).to_have_text(["live"])
    assert page.page.evaluate("[...seen]") == ["online"]
    assert sockets == []

"""A suspended tab keeps its lock and its socket; a visible tab takes the lead from it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.support.observers import sockets_of
from tests.browser.support.own_page import OpenOwnPage, OwnPage
from tests.support import wait_for
from tests.support.people import Person
from tests.support.stack import token_for

TAKEN_OVER_WITHIN = 3.0  # seconds on an idle machine
SLACK = 4.0  # more on a busy one


@contextmanager
def suspended(page: Page) -> Iterator[None]:
    """Pause the page's scripts, as in a frozen tab. (Chromium's own "frozen" state does not stop timers here.)"""
    session: CDPSession = page.context.new_cdp_session(page)
    session.send("Debugger.enable")
    paused = threading.Event()
    session.on("Debugger.paused", lambda _: paused.set())
    session.send("Debugger.pause")
    wait_for_paused(page, paused)
    yield
    session.send("Debugger.disable")
    session.detach()


def wait_for_paused(page: Page, paused: threading.Event) -> None:
    other = next(each for each in page.context.pages if each is not page)

    def is_paused() -> bool:
        other.evaluate("0")  # Playwright hands out events while it waits for an answer
        return paused.is_set()

    wait_for(is_paused, 10, "the tab to stand still")


@pytest.fixture
def tabs(own_page: OpenOwnPage, bob: str) -> tuple[OwnPage, OwnPage]:
    """Two tabs of one browser: the first leads, the second is looked at."""
    first = own_page(token_for(bob), "inline")
    first.expect_online()
    second = own_page(token_for(bob), "inline", beside=first)
    second.expect_online()
    assert (first.state("leads"), second.state("leads")) == (True, False)
    return first, second


def test_a_tab_takes_the_lead_from_a_suspended_one_which_follows_on_its_return(
    tabs: tuple[OwnPage, OwnPage], shop: Person, bob: str
) -> None:
    first, second = tabs
    sockets, firsts_sockets = sockets_of(second.page), sockets_of(first.page)
    with suspended(first.page):
        begun = time.monotonic()
        wait_for(lambda: second.state("leads") and sockets, 20, "the visible tab to open a socket")
        assert time.monotonic() - begun < TAKEN_OVER_WITHIN + SLACK
        second.expect_online()
        shop.notify(recipients=[bob], title="while the first stood still")
        expect(second.titles).to_have_text(["while the first stood still"], timeout=5_000)
    wait_for(lambda: first.state("leads") is False, 10, "the first to notice that it lost the lead")
    for page in tabs:
        page.expect_online()
        expect(page.titles).to_have_text(["while the first stood still"])
    shop.notify(recipients=[bob], title="afterwards")
    for page in tabs:
        expect(page.titles).to_have_text(["afterwards", "while the first stood still"], timeout=5_000)
    expect_one_leader(second, first)
    assert (len(sockets), firsts_sockets) == (1, []), "nobody opened another socket"


def expect_one_leader(leader: OwnPage, follower: OwnPage) -> None:
    """The roles stay for longer than it takes to notice a lost leader."""
    until = time.monotonic() + 4
    while time.monotonic() < until:
        assert (leader.state("leads"), follower.state("leads")) == (True, False)
        leader.page.wait_for_timeout(200)


def test_when_the_tab_that_took_the_lead_closes_the_one_that_was_suspended_leads_again(
    tabs: tuple[OwnPage, OwnPage], shop: Person, bob: str
) -> None:
    first, second = tabs
    with suspended(first.page):
        wait_for(lambda: second.state("leads") is True, 10, "the visible tab to lead")
    wait_for(lambda: first.state("leads") is False, 10, "the first to notice that it lost the lead")
    second.page.close()
    wait_for(lambda: first.state("leads") is True, 10, "the first to lead again")
    first.expect_online()
    shop.notify(recipients=[bob], title="one")
    expect(first.titles).to_have_text(["one"], timeout=5_000)


def test_a_leader_whose_timers_are_slow_keeps_the_lead_as_long_as_it_answers(
    tabs: tuple[OwnPage, OwnPage], shop: Person, bob: str
) -> None:
    """Browsers slow the timers of hidden tabs down to one a minute; the lead must not depend on timers."""
    first, second = tabs
    first.page.evaluate("globalThis.setTimeout = () => 0")
    expect_one_leader(first, second)
    shop.notify(recipients=[bob], title="one")
    for page in tabs:
        expect(page.titles).to_have_text(["one"])

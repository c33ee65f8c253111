"""The demo page: the scripted scene, the timelines of notifications, and devices that go offline."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import OpenPage, someone
from tests.browser.support.pane import Pane
from tests.support.stack import token_for

DELIVERED = 60_000  # milliseconds, on a busy machine
CAPTION_MS = 2_200  # as in web/demo/scene.ts
# The scene waits after each caption until the test calls `next()`: on a busy machine it would be over too soon.
HOLD_CAPTIONS = """milliseconds => {
  const real = setTimeout;
  globalThis.setTimeout = (act, delay, ...rest) =>
    delay === milliseconds ? (globalThis.next = act) : real(act, delay, ...rest);
}"""
MEASURED = re.compile(r"^\d+ ms$|^\d+\.\d s$")
ROWS_MAX = 60


@pytest.fixture
def carol() -> str:
    return someone("carol")


@pytest.fixture
def three(open_page: OpenPage, alice: str, bob: str, carol: str) -> tuple[Page, Pane, Pane, Pane]:
    page = open_page(*(token_for(name, "inbox", "notify") for name in (alice, bob, carol)))
    panes = Pane(page, 0), Pane(page, 1), Pane(page, 2)
    for pane in panes:
        pane.expect_online()
    return page, *panes


def timeline(page: Page, text: str) -> list[str]:
    """The times in the newest timeline with this text, once all four are known."""
    found = page.locator(".timeline").filter(has_text=text).first
    expect(found.locator("[data-reached]")).to_have_count(4)
    return found.locator(".cells li").all_inner_texts()


def test_the_scene_shows_an_arrival_an_absence_and_a_return(
    three: tuple[Page, Pane, Pane, Pane], alice: str, bob: str, carol: str
) -> None:
    page, alices, bobs, _ = three
    page.evaluate(HOLD_CAPTIONS, CAPTION_MS)
    page.get_by_role("button", name="Watch it work").click()
    expect(page.get_by_text(f"{carol} follows {alice}.", exact=True)).to_be_visible()
    expect(alices.items.locator(".title")).to_have_text(f"{carol} follows you")
    go_on(page)
    bobs.expect_bodies("Are you coming on Thursday?")
    timeline(page, f"{alice} → {bob}")  # complete once bob has seen the message
    go_on(page)
    bobs.expect_offline()
    go_on(page)
    expect(bobs.phone.locator(".badge")).to_have_text("1")
    go_on(page)
    expect(bobs.status).to_have_text("Offline; showing what was here · 1 change waits to be sent")
    bobs.expect_bodies("Are you coming on Thursday?")
    go_on(page)
    bobs.expect_online()
    bobs.expect_bodies("The draft is ready. Have a look?", "Are you coming on Thursday?")
    go_on(page)
    expect(page.get_by_text("That was the real system")).to_be_visible()
    expect(bobs.unread()).to_have_text(re.compile("The draft is ready"))
    for text in (f"{alice} → {bob}", f"{carol} → {bob}"):
        assert all(MEASURED.match(time) for time in timeline(page, text)), timeline(page, text)
    expect(page.get_by_role("button", name="Watch it work")).to_be_enabled()


def go_on(page: Page) -> None:
    """End the wait after the caption, once the scene is there."""
    page.wait_for_function("Boolean(globalThis.next)")
    page.evaluate("() => { const act = next; next = null; act(); }")


def test_an_announcement_reaches_everybody_on_every_device(three: tuple[Page, Pane, Pane, Pane]) -> None:
    page, *panes = three
    text = someone("The new season")
    page.get_by_label("Announcement to everyone").fill(text)
    page.get_by_role("button", name="Announce").click()
    for pane in panes:
        expect(pane.item(text)).to_be_visible()
        expect(pane.phone.locator(".toast")).to_contain_text(text)
    assert all(MEASURED.match(time) for time in timeline(page, text))


def test_a_thousand_at_once_arrive_whole_in_few_rows_and_one_toast(three: tuple[Page, Pane, Pane, Pane]) -> None:
    page, *panes = three
    page.get_by_role("button", name="1,000 at once").click()
    found = page.locator(".timeline").filter(has_text="1,000 orders")
    expect(found.locator("[data-step=announced]")).to_have_attribute("data-reached", "yes", timeout=DELIVERED)
    for pane, count in zip(panes, (334, 333, 333), strict=True):
        pane.expect_unread(count)
        expect(pane.phone.locator(".toast")).to_have_count(1)
        expect(pane.phone.locator(".toast")).to_contain_text("new notifications")
        assert 0 < pane.items.count() < ROWS_MAX


def test_a_phone_and_a_laptop_of_one_person_agree(three: tuple[Page, Pane, Pane, Pane], alice: str, bob: str) -> None:
    _, alices, bobs, _ = three
    alices.write(bob, "hello")
    bobs.expect_bodies("hello")
    bobs.phone.get_by_role("button", name="Notifications").click()
    shown = bobs.phone.get_by_role("article")
    expect(shown).to_have_count(1)
    shown.click()
    bobs.expect_unread(0)
    bobs.press("Phone: Go offline")
    alices.write(bob, "again")
    bobs.expect_bodies("again", "hello")
    badge = bobs.phone.locator(".badge")
    expect(badge).to_be_hidden()
    bobs.press("Phone: Come back")
    expect(bobs.phone.locator(".toast")).to_contain_text("again")
    bobs.phone.get_by_role("button", name="Notifications").click()
    expect(shown).to_have_count(2)


def test_whoever_comes_without_a_token_is_told_where_to_find_one(open_page: OpenPage) -> None:
    page = open_page()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(Pane(page).root.get_by_text("make up prints the address of this page")).to_be_visible()
    expect(page.get_by_role("button", name="Watch it work")).to_be_hidden()
    reference = page.get_by_role("link", name="API reference").evaluate("link => new URL(link.href).pathname")
    assert reference == "/docs"


def test_whoever_may_not_publish_sees_the_way_without_when_it_was_delivered(
    open_page: OpenPage, alice: str, bob: str
) -> None:
    page = open_page(token_for(alice), token_for(bob))
    Pane(page, 0).write(bob, "hello")
    found = page.locator(".timeline").first
    expect(found.locator("[data-reached]")).to_have_count(3)
    expect(found.locator("[data-step=delivered]")).to_have_text("–")
    expect(page.get_by_role("button", name="1,000 at once")).to_be_hidden()

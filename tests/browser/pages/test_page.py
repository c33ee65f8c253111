"""The demo page: messages, follows and sign-in, with the receiver's side."""

import re

import pytest
from playwright.sync_api import Page, expect

from auth.tokens import issue
from dev.stack import Stack
from tests.browser.conftest import OpenPage, someone
from tests.browser.support.pane import Pane
from tests.browser.support.texts import HOSTILE, RIGHT_TO_LEFT
from tests.support.stack import token_for


@pytest.fixture
def two_tabs(open_page: OpenPage, bob: str) -> tuple[Pane, Pane]:
    """Bob on two devices, both online."""
    tabs = Pane(open_page(token_for(bob))), Pane(open_page(token_for(bob)))
    for tab in tabs:
        tab.expect_online()
    return tabs


def test_alice_messages_bob_and_bob_sees_it_without_a_reload(
    side_by_side: tuple[Pane, Pane], alice: str, bob: str
) -> None:
    alices, bobs = side_by_side
    alices.write(bob, "Are you coming on Thursday?")
    bobs.expect_bodies("Are you coming on Thursday?")
    expect(bobs.items.locator(".title")).to_have_text(f"Message from {alice}")
    expect(bobs.items.locator(".kind .icon-message")).to_be_visible()
    expect(bobs.items.locator(".actor")).to_have_text(alice)
    bobs.expect_unread(1)
    expect(alices.items).to_have_count(0)
    alices.expect_unread(0)


def test_what_alice_writes_in_quick_succession_arrives_whole(side_by_side: tuple[Pane, Pane], bob: str) -> None:
    alices, bobs = side_by_side
    message = alices.message
    for number in range(5):
        message.fill(f"message {number}")
        message.press("Enter")
        message.press("Enter")
    expect(bobs.items).to_have_count(5)
    assert sorted(bobs.bodies.all_text_contents()) == [f"message {number}" for number in range(5)]


def test_alice_follows_bob_and_bob_is_told_at_once(side_by_side: tuple[Pane, Pane], alice: str, bob: str) -> None:
    alices, bobs = side_by_side
    alices.follow(bob)
    expect(bobs.items.locator(".title")).to_have_text(f"{alice} follows you")
    expect(bobs.items.locator(".kind .icon-follow")).to_be_visible()
    expect(alices.items).to_have_count(0)


def test_what_is_read_on_one_tab_is_read_on_the_other(
    two_tabs: tuple[Pane, Pane], open_page: OpenPage, alice: str, bob: str
) -> None:
    here, there = two_tabs
    alices = Pane(open_page(token_for(alice)))
    for text in ("one", "two", "three"):
        alices.write(bob, text)
        expect(there.item(text)).to_be_visible()
    here.choose("two", "Mark read")
    expect(there.unread()).to_have_count(2)
    expect(there.unread().filter(has_text="two")).to_have_count(0)
    there.expect_unread(2)
    here.press("Mark all read")
    there.expect_unread(0)
    expect(there.unread()).to_have_count(0)
    there.choose("one", "Mark unread")
    expect(here.unread()).to_have_text(re.compile("one"))
    here.expect_unread(1)
    here.choose("three", "Archive")
    expect(there.item("three")).to_have_count(0)
    there.show("Archived")
    expect(there.item("three")).to_be_visible()
    here.choose("two", "Delete")
    there.show("All")
    there.expect_bodies("one")


@pytest.mark.parametrize("text", [HOSTILE, RIGHT_TO_LEFT, "two\nlines"], ids=["html", "bidi-and-emoji", "lines"])
def test_hostile_text_stays_text(open_page: OpenPage, bob: str, text: str) -> None:
    mallory = someone("<b>mallory</b>")
    page = open_page(token_for(mallory), token_for(bob))
    mallorys, bobs = Pane(page, 0), Pane(page, 1)
    bobs.expect_online()
    mallorys.root.get_by_label("To", exact=True).fill(bob)
    mallorys.message.fill(text)
    mallorys.press("Send")
    expect(bobs.items).to_have_count(1)
    assert bobs.bodies.text_content() == text
    assert bobs.items.locator(".title").text_content() == f"Message from {mallory}"
    assert page.locator(":is(#panes, #timelines) :is(img, script, b:not([class]))").count() == 0
    expect(page).to_have_title("Belfry")


def test_an_override_of_direction_does_not_reach_beyond_its_own_text(open_page: OpenPage, bob: str) -> None:
    page = open_page(token_for(someone("alice")), token_for(bob))
    Pane(page, 0).write(bob, RIGHT_TO_LEFT)
    bobs = Pane(page, 1)
    expect(bobs.items).to_have_count(1)
    isolation = "element => getComputedStyle(element).unicodeBidi"
    for part in (".title", ".body", ".actor"):
        assert bobs.items.locator(part).evaluate(isolation).startswith("isolate")


def test_what_is_no_token_is_said_in_words(open_page: OpenPage) -> None:
    pane = Pane(open_page())
    pane.sign_in("open sesame")
    expect(pane.problem).to_contain_text("This is not a token.")
    pane.sign_in(token_for(someone("alice")))
    pane.expect_online()
    expect(pane.problem).to_have_count(0)


@pytest.mark.parametrize(
    "token",
    [issue("another secret, longer than 32 bytes", "alice", ["inbox"], 600), token_for("alice", ttl_seconds=-60)],
    ids=["forged", "expired"],
)
def test_a_token_that_the_server_refuses_is_said_in_words(open_page: OpenPage, token: str) -> None:
    pane = Pane(open_page(token))
    expect(pane.notice).to_contain_text("The token was refused. It has expired, or it is signed with another key")
    expect(pane.status).to_have_text("Not connected")
    expect(pane.root.get_by_role("button", name="Send")).to_be_disabled()


def test_a_refused_field_is_named_and_marked(side_by_side: tuple[Pane, Pane], bob: str) -> None:
    alices, bobs = side_by_side
    to = alices.root.get_by_label("To", exact=True)
    to.fill("x" * 300)
    alices.message.fill("This text is kept.")
    alices.press("Send")
    expect(alices.problem).to_contain_text("to: ")
    expect(to).to_have_attribute("aria-invalid", "true")
    expect(to).to_be_focused()
    expect(alices.message).to_have_value("This text is kept.")
    alices.write(bob, "This text is kept.")
    bobs.expect_bodies("This text is kept.")
    expect(alices.problem).to_have_count(0)


def test_a_network_that_is_gone_is_said_in_words(side_by_side: tuple[Pane, Pane], alice: str, bob: str) -> None:
    alices, bobs = side_by_side
    network = alices.root.page.context
    network.set_offline(True)
    alices.message.fill("Hello?")
    alices.press("Send")
    expect(alices.problem).to_contain_text("cannot be reached. Is Belfry running")
    network.set_offline(False)
    alices.press("Send")
    bobs.expect_bodies("Hello?")


def test_tokens_leave_the_address_bar_and_survive_a_reload(open_page: OpenPage, stack: Stack, alice: str) -> None:
    page = open_page(token_for(alice))
    pane = Pane(page)
    pane.expect_online()
    assert page.evaluate("location.href") == f"{stack.api_url}/"
    page.reload()
    pane.expect_online()
    pane.press("Sign out")
    page.reload()
    expect(pane.root.get_by_label("Token")).to_be_visible()


def test_the_page_fits_a_phone(open_page: OpenPage, bob: str) -> None:
    page = open_page(token_for(someone("alice")), token_for(bob), viewport={"width": 360, "height": 740})
    Pane(page, 0).write(bob, "W" * 400)
    expect(Pane(page, 1).items).to_have_count(1)
    assert overflow(page) == 0
    first, second = Pane(page, 0).root.bounding_box(), Pane(page, 1).root.bounding_box()
    assert first is not None
    assert second is not None
    assert first["x"] + first["width"] <= second["x"] < 360, "a bit of the next person shows that there is one"


def overflow(page: Page) -> int:
    """The pixels by which the page, or a text on it, is wider than its box."""
    parts = page.locator(":is(html, .pane, .timeline, .title, .body)")
    return int(max(parts.evaluate_all("parts => parts.map(part => part.scrollWidth - part.clientWidth)")))

"""The component by keyboard and screen reader, in other languages, and without motion."""

import re

import pytest
from playwright.sync_api import Page, expect

from dev.stack import ROOT, Stack
from tests.browser.conftest import OpenBrowser, OpenPage, someone
from tests.browser.support.own_page import OpenOwnPage, answer_with, element
from tests.browser.support.publishing import tell
from tests.support.people import Person
from tests.support.stack import token_for

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"


def test_it_is_used_by_the_keyboard_alone(own_page: OpenOwnPage, shop: Person, bob: str) -> None:
    tell(shop, bob, "one", "two", "three")
    page = own_page(token_for(bob))
    page.expect_badge(3)
    keys = page.page.keyboard
    page.bell.focus()
    keys.press("Enter")
    expect(page.panel).to_be_focused()
    for _ in range(4):
        keys.press("Tab")
    row = page.items.filter(has_text="three")
    expect(row).to_be_focused()
    keys.press("ArrowDown")
    expect(page.items.filter(has_text="two")).to_be_focused()
    keys.press("Enter")
    page.expect_unread(2)
    keys.press("Shift+F10")
    expect(page.host.get_by_role("menuitem", name="Mark unread")).to_be_focused()
    keys.press("ArrowDown")
    expect(page.host.get_by_role("menuitem", name="Archive")).to_be_focused()
    keys.press("Enter")
    expect(page.titles).to_have_text(["three", "one"])
    expect(page.items.filter(has_text="one")).to_be_focused()
    keys.press("Delete")
    expect(page.titles).to_have_text(["three"])
    expect(row).to_be_focused()
    keys.press("Escape")
    expect(page.panel).to_be_hidden()
    expect(page.bell).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    own_page: OpenOwnPage, open_page: OpenPage, shop: Person, alice: str, bob: str, scheme: str
) -> None:
    tell(shop, bob, "New sign-in", severity="high", url="/security", kind="security.login")
    tell(shop, bob, "Order 41", actor="carol", body="Two parcels")
    page = own_page(token_for(bob), color_scheme=scheme)
    page.open()
    expect(page.items).to_have_count(2)
    assert serious(page.page) == []
    page.items.first.hover()
    page.items.first.get_by_role("button").click()
    assert serious(page.page) == []
    page.page.keyboard.press("Escape")
    page.host.get_by_role("button", name="More actions").click()
    assert serious(page.page) == []
    page.page.keyboard.press("Escape")
    page.page.context.set_offline(True)
    expect(page.status()).to_contain_text("Offline")
    assert serious(page.page) == []
    for token in ("no token", token_for(someone("nobody"))):
        other = own_page(token, color_scheme=scheme, viewport={"width": 390, "height": 844}, has_touch=True)
        other.open()
        expect(other.host.get_by_text(re.compile("This is not a token|all caught up"))).to_be_visible()
        assert serious(other.page) == []
    demo = open_page(token_for(alice, "inbox", "notify"), token_for(bob), color_scheme=scheme)
    expect(demo.get_by_role("article")).to_have_count(2)
    shop.notify(recipients=[bob], title="New boots")
    expect(demo.locator(".toast")).to_have_count(1)
    assert serious(demo) == []


def serious(page: Page) -> list[str]:
    """Wait for the animations, and return the violations that axe rates serious or critical."""
    page.evaluate("Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})))")
    page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['id']}: {node['html']} {node['failureSummary']}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def test_it_speaks_the_pages_language_and_reads_from_right_to_left(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    tell(shop, bob, "עברית", body="שלום")
    body = f'<div style="text-align: end">{element(stack, token_for(bob))}</div>'
    page = answer_with(open_browser().new_page(), stack, body, lang="zh-CN", dir_="rtl")
    page.expect_badge(1)
    page.open()
    expect(page.host.get_by_role("tab")).to_have_text(["全部", "未读", "已归档"])
    bell, panel = page.bell.bounding_box(), page.panel.bounding_box()
    face, title = page.items.locator(".face").bounding_box(), page.titles.bounding_box()
    assert bell is not None
    assert panel is not None
    assert face is not None
    assert title is not None
    assert abs(bell["x"] - panel["x"]) <= 1, "the panel begins where the bell does, on the left"
    assert face["x"] > title["x"]


@pytest.mark.parametrize(("wanted", "moves"), [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_those_who_want_no_motion(
    own_page: OpenOwnPage, shop: Person, bob: str, wanted: str, moves: bool
) -> None:
    page = own_page(token_for(bob), reduced_motion=wanted)
    tell(shop, bob, "one")
    page.expect_badge(1)
    page.open()
    expect(page.items).to_have_count(1)
    motion = "element => getComputedStyle(element).animationName !== 'none'"
    assert page.panel.evaluate(motion) is moves
    page.bell.evaluate("bell => bell.classList.add('rung')")
    assert page.bell.locator(".icon").evaluate(motion) is moves

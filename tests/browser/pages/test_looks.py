"""The layout: no text is cut off and nothing overflows, in each colour scheme, width, direction and language.

The screenshots are kept for a look: `pytest tests/browser/pages/test_looks.py --basetemp var/looks`.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dev.stack import Stack
from tests.browser.conftest import OpenBrowser, OpenPage, someone
from tests.browser.support.own_page import OwnPage, answer_with, element
from tests.browser.support.pane import Pane
from tests.support.people import Person
from tests.support.stack import token_for

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 1210, "height": 700}},
    "tablet": {"viewport": {"width": 820, "height": 1100}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "device_scale_factor": 2},
    "wide": {"viewport": {"width": 1720, "height": 1000}},
}
SPOKEN = {"en": "ltr", "zh-CN": "ltr", "he": "rtl"}
LONG = "A title that is longer than anybody wanted, as they are when people may write them themselves " * 3

# Elements whose text is cut off, and elements that overflow their panel or the window.
CUT_OFF = """() => {
  const all = (root) => [...root.querySelectorAll("*")].flatMap((one) => [one, ...inside(one)]);
  const inside = (one) => (one.shadowRoot ? all(one.shadowRoot) : []);
  const up = (one) => one.getRootNode().host;
  const around = (one, places) => one.closest(places) ?? (up(one) ? around(up(one), places) : null);
  const shown = all(document).filter((one) => one.checkVisibility({ visibilityProperty: true }));
  const seen = shown.filter((one) => one.getClientRects().length && !around(one, ".hidden, .unseen, svg"));
  const whole = "button, h1, h2:not(.who *), h3, label, .count, .status, .steps li, .cells li";
  const cut = seen.filter((one) => one.matches(whole) && one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0);
  const out = seen.filter((one) => {
    const place = around(one, ".panel, .pane, .story") ?? document.documentElement;
    const [box, room] = [one.getBoundingClientRect(), place.getBoundingClientRect()];
    return one !== place && (box.left < room.left - 1 || box.right > room.right + 1);
  });
  const name = (one) => `${one.localName}.${one.getAttribute("class")} “${one.textContent.trim().slice(0, 40)}”`;
  return [...cut.map((one) => "cut: " + name(one)), ...out.map((one) => "out: " + name(one))];
}"""


SEEN = "laptop => laptop.inbox.state.items.length === 1 && laptop.inbox.state.unseen === 0"


def keep(page: Page, folder: Path, name: str, *, full_page: bool = False) -> None:
    page.evaluate("Promise.all(document.getAnimations().map(one => one.finished.catch(() => {})))")
    page.screenshot(path=folder / f"{name}.png", full_page=full_page)


@pytest.fixture
def bobs_items(shop: Person, stack: Stack, bob: str) -> list[str]:
    """Items of several kinds, newest last."""
    told: list[dict[str, Any]] = [
        {"kind": "security.login", "title": "New sign-in from Lisbon", "severity": "high"},
        {"kind": "comment", "title": LONG, "actor": "carol", "body": LONG},
        {"kind": "order.shipped", "title": "הזמנה 41 בדרך", "body": "שתי חבילות.", "severity": "medium", "url": "/41"},
        {"kind": "order.shipped", "title": "订单 41 已发货", "actor": "商店", "body": "共两个包裹。"},
    ]
    for one in told:
        shop.notify(recipients=[bob], **one)
    Person(bob, stack).expect_stored(len(told))
    return [str(one["title"]) for one in told]


@pytest.mark.parametrize("language", SPOKEN)
@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_nothing_of_the_list_is_cut_off(
    open_browser: OpenBrowser, stack: Stack, bob: str, bobs_items: list[str], tmp_path: Path, look: str, language: str
) -> None:
    page = open_browser(**LOOKS[look], reduced_motion="reduce").new_page()
    line = f'<div style="text-align: end">{element(stack, token_for(bob))}</div>'
    own = answer_with(page, stack, line, language, SPOKEN[language])
    own.expect_badge(len(bobs_items))
    own.open()
    expect(own.items).to_have_count(len(bobs_items))
    keep(page, tmp_path, f"list-{look}-{language}")
    assert page.evaluate(CUT_OFF) == []
    own.items.first.get_by_role("button").last.click()
    keep(page, tmp_path, f"menu-{look}-{language}")
    assert page.evaluate(CUT_OFF) == []


@pytest.mark.parametrize("state", ["empty", "loading", "offline", "no-token", "toasts"])
def test_nothing_of_a_state_is_cut_off(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, tmp_path: Path, state: str
) -> None:
    page = open_browser(viewport={"width": 900, "height": 700}, reduced_motion="reduce").new_page()
    if state == "loading":
        page.route("**/v1/inbox?**", lambda _: None)
    own = answer_with(page, stack, element(stack, None if state == "no-token" else token_for(bob)))
    reach(own, shop, bob, state)
    keep(page, tmp_path, state)
    assert page.evaluate(CUT_OFF) == []


def reach(own: OwnPage, shop: Person, bob: str, state: str) -> None:
    if state == "toasts":
        own.page.wait_for_function("document.querySelector('belfry-inbox').inbox.state.status === 'online'")
        told = [{"recipients": [bob], "kind": "offer", "title": title, "body": LONG} for title in ("New boots", LONG)]
        shop.ok("POST", "/v1/notifications/batch", {"notifications": told})  # together: a toast lasts six seconds
        expect(own.host.locator(".toast")).to_have_count(2)
        return
    own.open()
    if state == "offline":
        own.expect_online()
        own.page.context.set_offline(True)
        expect(own.status()).to_contain_text("Offline")


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_of_the_demo_page_is_cut_off(open_page: OpenPage, tmp_path: Path, look: str) -> None:
    names = [someone(name) for name in ("alice", "bob", "carol")]
    page = open_page(*(token_for(name, "inbox", "notify") for name in names), **LOOKS[look])
    alice, bob, carol = (Pane(page, index) for index in range(3))
    for pane in (alice, bob, carol):
        pane.expect_online()
    keep(page, tmp_path, f"demo-{look}-first")
    assert page.evaluate(CUT_OFF) == []
    alice.write(names[1], LONG)
    carol.follow(names[0])
    for pane in (alice, bob):
        pane.items.first.scroll_into_view_if_needed()  # on a phone the panes scroll
        page.wait_for_function(SEEN, arg=pane.laptop.element_handle())
    expect(page.locator(".timeline [data-reached]")).to_have_count(8)
    bob.take_laptop("Go offline")
    bob.expect_offline()
    keep(page, tmp_path, f"demo-{look}", full_page=True)
    assert page.evaluate(CUT_OFF) == []

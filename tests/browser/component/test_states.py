"""The states of the component: loading, empty, full, on a phone; toasts, sounds and desktop notifications."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from dev.stack import Stack
from tests.browser.conftest import OpenBrowser
from tests.browser.support.own_page import OpenOwnPage, OwnPage, answer_with, element
from tests.support import wait_for
from tests.support.people import Person
from tests.support.stack import token_for

HIDDEN = "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' });"
NOTED = """globalThis.shown = []; globalThis.rung = 0;
    globalThis.Notification = class { constructor(title, told) { shown.push([title, told.body]); }
      static permission = "default";
      static async requestPermission() { return (Notification.permission = PERMISSION); } };
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...when) { rung += 1; return start.apply(this, when); };"""


def batch(shop: Person, to: str, count: int) -> None:
    told = [{"recipients": [to], "kind": "order", "title": f"Order {number}"} for number in range(count)]
    shop.ok("POST", "/v1/notifications/batch", {"notifications": told})


def test_while_it_loads_it_says_so_and_then_what_is_there_or_that_there_is_nothing(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    page = open_browser().new_page()
    held: list[Route] = []
    page.route("**/v1/inbox?**", lambda route: held.append(route))  # noqa: PLW0108 (Playwright marks what it is given)
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    expect(own.host.locator(".bone")).to_have_count(4)
    expect(own.host.get_by_text("Loading…")).to_be_attached()
    expect(own.status()).to_have_text("Connecting…")
    held.pop().continue_()
    expect(own.host.get_by_text("You're all caught up")).to_be_visible()
    expect(own.host.locator(".bone")).to_have_count(0)
    page.unroute("**/v1/inbox?**")
    for tab, says in (("Unread", "Nothing unread"), ("Archived", "Nothing archived")):
        own.host.get_by_role("tab", name=tab).click()
        expect(own.host.get_by_text(says)).to_be_visible()
    own.host.get_by_role("tab", name="All").click()
    shop.notify(recipients=[bob], title="one")
    expect(own.titles).to_have_text(["one"])
    expect(own.host.get_by_text("You're all caught up")).to_have_count(0)


def test_a_page_of_its_own_words_stands_in_the_slots(open_browser: OpenBrowser, stack: Stack, bob: str) -> None:
    slots = "".join(f"<span slot={name}>our {name}</span>" for name in ("title", "empty", "footer"))
    line = element(stack, token_for(bob), "inline").replace("></belfry-inbox>", f">{slots}</belfry-inbox>")
    own = answer_with(open_browser().new_page(), stack, line)
    for name in ("title", "empty", "footer"):
        expect(own.host.get_by_text(f"our {name}")).to_be_visible()
    expect(own.host.get_by_text("You're all caught up")).to_be_hidden()


def test_a_hundred_new_ones_are_99_plus_on_the_bell_and_on_the_browsers_tab(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    page = open_browser().new_page()
    own = answer_with(page, stack, element(stack, token_for(bob), "page-badge"))
    page.evaluate(
        "document.head.append(Object.assign(document.createElement('link'), {rel: 'icon', href: '/ours.svg'}))"
    )
    own.expect_badge(0)
    batch(shop, bob, 100)
    own.expect_badge("99+")
    expect(own.bell).to_have_accessible_name("Notifications, 100 new")
    expect(page).to_have_title("(99+) Our shop")
    icon = page.locator("link[rel=icon]")
    expect(icon).to_have_attribute("href", re.compile("^data:image/png"))
    own.open()
    own.expect_badge(0)
    expect(page).to_have_title("Our shop")
    expect(icon).to_have_attribute("href", "/ours.svg")


def test_what_comes_in_a_row_is_one_toast_that_counts_and_one_sentence(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    page = own_page(token_for(bob))
    page.host.evaluate("host => host.inbox.subscribe(state => (host.dataset.status = state.status))")
    expect(page.host).to_have_attribute("data-status", "online")
    batch(shop, bob, 30)
    toast = page.host.locator(".toast")
    expect(toast).to_have_text("30 new notifications")
    toast.get_by_role("button", name="30 new notifications").click()
    expect(page.items.first).to_be_visible()
    expect(toast).to_have_count(0)


def test_on_a_phone_the_list_fills_the_window_and_has_a_way_back(own_page: OpenOwnPage, shop: Person, bob: str) -> None:
    shop.notify(recipients=[bob], title="one")
    page = own_page(token_for(bob), viewport={"width": 390, "height": 844}, has_touch=True, reduced_motion="reduce")
    page.expect_badge(1)
    page.open()
    assert page.panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 844}
    expect(page.items.get_by_role("button", name="Actions for one")).to_be_in_viewport()
    page.host.get_by_role("button", name="Close").click()
    expect(page.panel).to_be_hidden()
    expect(page.bell).to_be_focused()


def open_noting(open_browser: OpenBrowser, stack: Stack, bob: str, permission: str) -> OwnPage:
    """A page that records its sounds and desktop notifications."""
    page = open_browser().new_page()
    page.add_init_script(NOTED.replace("PERMISSION", f'"{permission}"'))
    own = answer_with(page, stack, element(stack, token_for(bob)))
    page.wait_for_function("document.querySelector('belfry-inbox').inbox.state.status === 'online'")
    return own


def turn_on(own: OwnPage, name: str) -> None:
    if own.panel.is_hidden():
        own.open()
    own.host.get_by_role("button", name="More actions").click()
    own.host.get_by_role("menuitemcheckbox", name=name).click()


def test_it_rings_and_shows_the_browsers_notification_to_whoever_chose_so_and_looks_elsewhere(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    own = open_noting(open_browser, stack, bob, "granted")
    own.page.evaluate("() => { Notification.permission = 'granted'; }")
    own.page.evaluate(HIDDEN)
    shop.notify(recipients=[bob], title="before it was chosen")
    expect(own.host.locator(".toast")).to_have_count(1)
    assert told(own.page) == {"rung": 0, "shown": []}
    turn_on(own, "Sound")
    assert told(own.page)["rung"] == 2, "one hears what one has chosen: two strokes"
    turn_on(own, "Desktop notifications")
    own.page.wait_for_function("localStorage.getItem('belfry-desktop') === 'on'")
    own.page.keyboard.press("Escape")
    shop.notify(recipients=[bob], title="after it was chosen", body="Have a look")
    own.page.wait_for_function("shown.length === 1")
    assert told(own.page)["shown"] == [["after it was chosen", "Have a look"]]

    def rings_again() -> bool:
        """It rings at most once in a second, however much arrives."""
        shop.notify(recipients=[bob], title="another")
        return told(own.page)["rung"] == 4

    wait_for(rings_again, 20, "another two strokes")
    own.page.reload()
    own.page.evaluate("Notification.permission = 'granted'")
    own.open()
    own.host.get_by_role("button", name="More actions").click()
    for name in ("Sound", "Desktop notifications"):
        expect(own.host.get_by_role("menuitemcheckbox", name=name)).to_have_attribute("aria-checked", "true")


def told(page: Page) -> dict[str, object]:
    found: dict[str, object] = page.evaluate("({ rung, shown })")
    return found


def test_whoever_does_not_allow_the_browsers_notifications_is_told_so(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    own = open_noting(open_browser, stack, bob, "denied")
    turn_on(own, "Desktop notifications")
    expect(own.host.get_by_text("Your browser blocks desktop notifications of this site.")).to_be_visible()


def test_the_pages_own_text_does_not_reach_in_but_its_colours_do(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    loud = (
        "text-align: right; text-transform: uppercase; font: bold 40px serif; letter-spacing: 9px; color: rgb(1, 2, 3)"
    )
    page = open_browser(color_scheme="dark").new_page()
    own = answer_with(page, stack, f'<div style="{loud}">{element(stack, token_for(bob))}</div>')
    own.expect_badge(1)
    own.open()
    look = "element => { const s = getComputedStyle(element); return [s.textTransform, s.letterSpacing, s.fontSize]; }"
    assert own.titles.evaluate(look) == ["none", "normal", "15px"]
    face, title = own.items.locator(".face").bounding_box(), own.titles.locator("span").bounding_box()
    assert face is not None
    assert title is not None
    assert title["x"] < face["x"] + face["width"] + 20
    colour = "element => getComputedStyle(element).color"
    assert own.bell.evaluate(colour) == "rgb(1, 2, 3)"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True), ("only light", False)])
def test_it_is_as_light_or_dark_as_the_page(
    open_browser: OpenBrowser, stack: Stack, bob: str, scheme: str, dark: bool
) -> None:
    page = open_browser(color_scheme="dark").new_page()
    own = answer_with(
        page, stack, f'<div style="color-scheme: {scheme}">{element(stack, token_for(bob), "inline")}</div>'
    )
    brightness = "element => parseInt(getComputedStyle(element).backgroundColor.match(/\\d+/)[0]) < 128"
    assert own.panel.evaluate(brightness) is dark
    own.host.evaluate("host => host.setAttribute('theme', 'dark')")
    assert own.panel.evaluate(brightness) is True


def test_what_arrives_while_the_rest_is_being_marked_as_seen_is_seen_as_well(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    page = own_page(token_for(bob), "inline")
    page.expect_online()
    held: list[Route] = []
    page.page.route("**/v1/inbox/seen", lambda route: held.append(route))  # noqa: PLW0108
    shop.notify(recipients=[bob], title="one")
    page.page.wait_for_event("request", lambda request: request.url.endswith("/v1/inbox/seen"))
    shop.notify(recipients=[bob], title="two")
    expect(page.titles).to_have_text(["two", "one"])
    page.page.unroute("**/v1/inbox/seen")
    for route in held:
        route.continue_()
    wait_for(lambda: page.state("unseen") == 0, 20, "both to be seen")

"""The component on a page: its display, its accessibility and the user's actions."""

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from dev.processes import wait_for
from dev.stack import ROOT, Stack
from tests.browser.conftest import OpenBrowser, OpenPage, someone
from tests.browser.support.own_page import OpenOwnPage, answer_with, element
from tests.browser.support.texts import HOSTILE, RIGHT_TO_LEFT
from tests.support.people import Person
from tests.support.stack import token_for

AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
MANY = 5_000
BATCH = 1_000
ROWS_MAX = 60  # in the document, however many items there are


def tell(shop: Person, to: str, *titles: str, **fields: object) -> None:
    for title in titles:
        shop.notify(recipients=[to], title=title, **fields)


def test_the_bell_counts_what_is_new_and_opening_it_has_it_seen_but_not_read(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    page = own_page(token_for(bob), "page-badge")
    expect(page.bell).to_have_accessible_name("Notifications")
    tell(shop, bob, "New boots", "New hats")
    page.expect_badge(2)
    expect(page.bell).to_have_accessible_name("Notifications, 2 new")
    expect(page.page).to_have_title("(2) Our shop")
    page.open()
    expect(page.titles).to_have_text(["New hats", "New boots"])
    page.expect_badge(0)
    page.expect_unread(2)
    expect(page.page).to_have_title("Our shop")


def test_what_arrives_while_the_list_is_closed_pops_up_and_is_said_to_a_screen_reader(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    page = own_page(token_for(bob))
    page.host.evaluate("host => host.inbox.subscribe(state => (host.dataset.status = state.status))")
    expect(page.host).to_have_attribute("data-status", "online")
    tell(shop, bob, "Order 41 is on its way")
    toast = page.host.locator(".toast")
    expect(toast).to_contain_text("Order 41 is on its way")
    expect(page.host.get_by_role("log")).to_have_text("New notification: Order 41 is on its way")
    toast.get_by_role("button").first.click()
    expect(page.panel).to_be_visible()
    expect(toast).to_have_count(0)
    expect(page.items).to_be_focused()


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


def test_an_item_leads_where_its_link_says_unless_the_page_takes_care_of_it(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    tell(shop, bob, "Order 41", url="/orders/41")
    page = own_page(token_for(bob), "inline")
    listen = "e => (e.preventDefault(), (e.target.dataset.opened = e.detail.url))"
    page.host.evaluate(f"host => host.addEventListener('belfry-open', {listen})")
    page.items.click()
    expect(page.host).to_have_attribute("data-opened", "/orders/41")
    page.expect_unread(0)
    page.host.evaluate("host => host.replaceWith(host.cloneNode())")
    page.page.route("**/orders/41", lambda route: route.fulfill(body="the order"))
    page.items.get_by_role("link").click()
    page.page.wait_for_url("**/orders/41")


@pytest.mark.parametrize("text", [HOSTILE, RIGHT_TO_LEFT, "T" * 10_240], ids=["html", "bidi-and-emoji", "10-kB"])
def test_hostile_text_in_every_field_stays_text_and_in_its_place(
    own_page: OpenOwnPage, shop: Person, bob: str, text: str
) -> None:
    tell(shop, bob, text, body=text, kind="<b>kind</b>", actor=text[:255])
    page = own_page(token_for(bob), "inline page-badge", viewport={"width": 360, "height": 700})
    expect(page.items).to_have_count(1)
    assert page.items.locator(".title").text_content() == text
    assert page.items.locator(".body").text_content() == text
    assert page.items.locator(":is(img:not([role]), script, b)").count() == 0
    assert page.page.title().endswith("Our shop")
    box = page.items.bounding_box()
    assert box is not None
    assert box["width"] <= 360
    assert box["height"] <= 260


def test_a_link_that_is_no_address_leads_nowhere(stack: Stack, own_page: OpenOwnPage, shop: Person, bob: str) -> None:
    """The API refuses such links; the component does not rely on that."""
    tell(shop, bob, "one", url="https://example.com/")
    item = Person(bob, stack).expect_stored(1)[0]
    page = own_page(token_for(bob), "inline")
    expect(page.items.get_by_role("link")).to_have_attribute("href", "https://example.com/")
    answer = {"next_cursor": None, "unread": 0, "unseen": 0, "version": 1, "epoch": "another"}
    urls = ["javascript:document.title='owned'", "data:text/html,<b>", "vbscript:x", " java\tscript:alert(1)"]
    urls += [
        "file:///etc/passwd",
        "blob:https://example.com/x",
        "JavaScript:alert(1)",
        "view-source:https://example.com",
    ]
    items = [item | {"seq": seq, "url": url} for seq, url in enumerate(urls, start=1)]

    def forge(route: Route) -> None:
        route.fulfill(body=json.dumps(answer | {"items": items}), content_type="application/json")

    page.page.route(re.compile(r"/v1/inbox\?"), forge)
    page.page.reload()
    expect(page.items).to_have_count(len(urls))
    expect(page.items.locator("a")).to_have_count(0)


def test_a_link_into_an_app_leads_there(stack: Stack, own_page: OpenOwnPage, shop: Person, bob: str) -> None:
    """The server checks the scheme (URL_SCHEMES); the component does not know the allowed ones."""
    tell(shop, bob, "one", url="https://example.com/")
    item = Person(bob, stack).expect_stored(1)[0]
    page = own_page(token_for(bob), "inline")
    expect(page.items).to_have_count(1)
    answer = {"next_cursor": None, "unread": 0, "unseen": 0, "version": 1, "epoch": "another"}
    urls = ["myapp://orders/41", "com.example.app:/orders/41"]
    items = [item | {"seq": seq, "url": url} for seq, url in enumerate(urls, start=1)]

    def forge(route: Route) -> None:
        route.fulfill(body=json.dumps(answer | {"items": items}), content_type="application/json")

    page.page.route(re.compile(r"/v1/inbox\?"), forge)
    page.page.reload()
    expect(page.items).to_have_count(len(urls))
    assert [link.get_attribute("href") for link in page.items.locator("a").all()] == urls[::-1]


def test_an_inbox_of_five_thousand_scrolls_with_few_rows_and_keeps_its_place(
    own_page: OpenOwnPage, stack: Stack, shop: Person, bob: str
) -> None:
    for start in range(0, MANY, BATCH):
        orders = [
            {"recipients": [bob], "kind": "order", "title": f"number {start + index}", "body": "b" * (index % 90 + 1)}
            for index in range(BATCH)
        ]
        shop.ok("POST", "/v1/notifications/batch", {"notifications": orders})
    page = own_page(token_for(bob), "inline style='height: 500px'")
    expect(page.host.locator(".count")).to_have_text(f"{MANY} unread", timeout=60_000)
    page.host.evaluate("async host => { while (host.inbox.list('all').hasMore) await host.inbox.loadMore(); }")
    assert page.host.evaluate("host => host.inbox.state.items.length") == MANY
    assert page.items.count() < ROWS_MAX
    page.items.first.focus()
    page.page.keyboard.press("End")
    expect(page.titles.last).to_have_text("number 0")
    assert page.items.count() < ROWS_MAX
    scroller = page.host.locator(".scroller")
    scroller.evaluate("scroller => (scroller.scrollTop = scroller.scrollHeight / 2)")
    place = """host => { const { top, bottom } = host.shadowRoot.querySelector('.scroller').getBoundingClientRect();
        const boxes = [...host.shadowRoot.querySelectorAll('.row')].map(row => [row, row.getBoundingClientRect()]);
        const seen = boxes.find(([, box]) => box.bottom > top && box.top < bottom);
        return seen && [seen[0].dataset.seq, Math.round(seen[1].top - top)]; }"""
    before = wait_for(lambda: page.host.evaluate(place), what="the rows of the place that is scrolled to")
    assert page.items.count() < ROWS_MAX
    tell(shop, bob, "the newest")
    page.expect_unread(MANY + 1)
    assert page.host.evaluate(place) == before
    assert page.items.count() < ROWS_MAX
    page.items.first.focus()
    page.page.keyboard.press("Home")
    expect(page.titles.first).to_have_text("the newest")


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


def test_a_page_draws_items_in_its_own_way(own_page: OpenOwnPage, shop: Person, bob: str) -> None:
    page = own_page(token_for(bob), "inline")
    page.host.evaluate("""host => { host.renderItem = item => {
        const own = document.createElement("div"); own.textContent = `Ours: ${item.title}`; return own; }; }""")
    tell(shop, bob, "<i>one</i>")
    ours = page.host.get_by_text("Ours: ")
    expect(ours).to_have_text("Ours: <i>one</i>")
    expect(page.items.locator(".title")).to_be_hidden()
    page.host.evaluate("host => host.inbox.delete(host.inbox.state.items[0].seq)")
    expect(ours).to_have_count(0)


def test_sound_and_the_browsers_notifications_are_asked_for_by_a_click_only(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    page = own_page(token_for(bob), permissions=["notifications"])
    ask = "Notification.requestPermission = async () => { document.body.dataset.asked = 'yes'; return 'granted'; }"
    page.page.evaluate(f"() => {{ {ask} }}")
    page.page.wait_for_function("document.querySelector('belfry-inbox').inbox.state.status === 'online'")
    tell(shop, bob, "one")
    expect(page.host.locator(".toast")).to_have_count(1)
    page.open()
    assert page.page.evaluate("document.body.dataset.asked ?? 'no'") == "no"
    page.host.get_by_role("button", name="More actions").click()
    desktop = page.host.get_by_role("menuitemcheckbox", name="Desktop notifications")
    expect(desktop).to_have_attribute("aria-checked", "false")
    desktop.click()
    assert page.page.evaluate("document.body.dataset.asked ?? 'no'") == "yes"


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


def test_a_mark_that_the_server_refuses_is_taken_back_and_said(own_page: OpenOwnPage, shop: Person, bob: str) -> None:
    tell(shop, bob, "one")
    page = own_page(token_for(bob), "inline")
    page.expect_unread(1)
    problem = {"code": "invalid_request", "detail": "This is refused."}
    page.page.route("**/v1/inbox/read", lambda route: route.fulfill(status=422, body=json.dumps(problem)))
    page.items.click()
    expect(page.notice).to_contain_text("This is refused.")
    page.expect_unread(1)
    page.page.unroute("**/v1/inbox/read")
    page.items.click()
    page.expect_unread(0)
    expect(page.notice).to_be_hidden()


def test_a_mark_that_the_server_cannot_take_now_stays_and_is_sent_when_it_can(
    own_page: OpenOwnPage, stack: Stack, shop: Person, bob: str
) -> None:
    tell(shop, bob, "one")
    page = own_page(token_for(bob), "inline")
    page.expect_online()
    problem = {"code": "database_unavailable", "detail": "…"}
    page.page.route("**/v1/inbox/read", lambda route: route.fulfill(status=503, body=json.dumps(problem)))
    page.items.click()
    expect(page.status()).to_have_text("Online · 1 change waits to be sent")
    page.expect_unread(0)
    expect(page.notice).to_be_hidden()
    assert Person(bob, stack).summary()["unread"] == 1
    page.page.unroute("**/v1/inbox/read")
    page.expect_online()
    assert Person(bob, stack).summary()["unread"] == 0

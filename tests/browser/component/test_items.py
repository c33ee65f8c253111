"""The items of the component: links, hostile texts, custom items, and a long list."""

import json
import re

import pytest
from playwright.sync_api import Route, expect

from dev.processes import wait_for
from dev.stack import Stack
from tests.browser.support.own_page import OpenOwnPage
from tests.browser.support.publishing import tell
from tests.browser.support.texts import HOSTILE, RIGHT_TO_LEFT
from tests.support.people import Person
from tests.support.stack import token_for

MANY = 5_000
BATCH = 1_000
ROWS_MAX = 60  # in the document, however many items there are


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

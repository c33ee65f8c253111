"""The component on a page: the badge, toasts, alerts, and marks that fail."""

import json

from playwright.sync_api import expect

from dev.stack import Stack
from tests.browser.support.own_page import OpenOwnPage
from tests.browser.support.publishing import tell
from tests.support.people import Person
from tests.support.stack import token_for


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

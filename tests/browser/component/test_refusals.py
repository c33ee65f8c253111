"""Browser features that are missing, or that throw when they are used: the inbox works without each of them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from dev.stack import Stack
from tests.browser.conftest import OpenBrowser, launch_options
from tests.browser.support.observers import errors_of
from tests.browser.support.own_page import OwnPage, answer_with, element
from tests.browser.support.pane import Pane
from tests.support.people import Person
from tests.support.stack import token_for

REFUSE = "throw new DOMException('The request was denied.', 'SecurityError')"
THROWS = "Object.defineProperty({object}, '{name}', {{ configurable: true, get() {{ {refuse}; }} }});"
MISSING = "Object.defineProperty({object}, '{name}', {{ configurable: true, value: undefined }});"
REFUSED_CLASS = "globalThis.{name} = class {name} {{ constructor() {{ {refuse}; }} }};"


def throws(name: str, of: str = "globalThis") -> str:
    return THROWS.format(object=of, name=name, refuse=REFUSE)


def missing(name: str, of: str = "globalThis") -> str:
    return MISSING.format(object=of, name=name)


def refuses_to_be_made(name: str) -> str:
    return REFUSED_CLASS.format(name=name, refuse=REFUSE)


LOCKS = "LockManager.prototype.request = {};"
REFUSALS = {
    "locks-reject": LOCKS.format(f"async () => {{ {REFUSE}; }}"),
    "locks-throw": LOCKS.format(f"() => {{ {REFUSE}; }}"),
    "locks-never-answer": LOCKS.format("() => new Promise(() => {})"),
    "locks-return-nothing": LOCKS.format("() => undefined"),
    "locks-getter-throws": throws("locks", "Navigator.prototype"),
    "locks-missing": missing("locks", "Navigator.prototype"),
    "channel-getter-throws": throws("BroadcastChannel"),
    "channel-refused": refuses_to_be_made("BroadcastChannel"),
    "channel-missing": missing("BroadcastChannel"),
    "channel-does-not-send": f"BroadcastChannel.prototype.postMessage = () => {{ {REFUSE}; }};",
    "local-storage": throws("localStorage"),
    "session-storage": throws("sessionStorage"),
    "storage-full": f"Storage.prototype.setItem = () => {{ {REFUSE}; }};",
    "notification-getter-throws": throws("Notification"),
    "notification-permission-throws": throws("permission", "Notification"),
    "notification-missing": missing("Notification"),
    "intersection-refused": refuses_to_be_made("IntersectionObserver"),
    "intersection-missing": missing("IntersectionObserver"),
    "resize-refused": refuses_to_be_made("ResizeObserver"),
    "resize-missing": missing("ResizeObserver"),
    "audio": refuses_to_be_made("AudioContext"),
    "match-media": missing("matchMedia"),
    "random-uuid": missing("randomUUID", "Crypto.prototype"),
    "idle-callback": missing("requestIdleCallback"),
    "visual-viewport": missing("visualViewport"),
    "says-there-is-no-network": "Object.defineProperty(Navigator.prototype, 'onLine', { get: () => false });",
    "language-throws": throws("language", "Navigator.prototype"),
    "dates-throw": "".join(
        f"Intl.{name} = function () {{ {REFUSE}; }};" for name in ("DateTimeFormat", "RelativeTimeFormat")
    ),
    "everything": "".join(
        [
            *(throws(name) for name in ("localStorage", "sessionStorage", "BroadcastChannel", "Notification")),
            *(refuses_to_be_made(name) for name in ("IntersectionObserver", "ResizeObserver", "AudioContext")),
            throws("locks", "Navigator.prototype"),
        ]
    ),
}


def expect_in_full(own: OwnPage, shop: Person, bob: str, *titles: str) -> None:
    """It is online, shows a new item, marks it as seen, and its settings work."""
    own.expect_online()
    shop.notify(recipients=[bob], title="live")
    expect(own.titles).to_have_text(["live", *titles])
    own.page.wait_for_function("document.querySelector('belfry-inbox').inbox.state.unseen === 0")
    assert own.state("leads") is True
    for _ in range(2):  # on, and off
        own.host.get_by_role("button", name="More actions").click()
        own.host.get_by_role("menuitemcheckbox", name="Sound").click()
    own.items.first.click()
    own.expect_unread(len(titles))


@pytest.mark.parametrize("script", REFUSALS.values(), ids=REFUSALS.keys())
def test_the_inbox_works_in_full_whatever_the_browser_refuses(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, script: str
) -> None:
    shop.notify(recipients=[bob], title="before")
    Person(bob, stack).expect_stored(1)
    page = open_browser().new_page()
    broken = errors_of(page)
    page.add_init_script(script)
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    expect_in_full(own, shop, bob, "before")
    assert broken == []


def test_a_choice_that_the_browser_does_not_keep_holds_as_long_as_the_page(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    page = open_browser().new_page()
    page.add_init_script(throws("localStorage"))
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    for chosen in ("false", "true"):
        own.host.get_by_role("button", name="More actions").click()
        sound = own.host.get_by_role("menuitemcheckbox", name="Sound")
        expect(sound).to_have_attribute("aria-checked", chosen)
        sound.click()


def test_desktop_notifications_that_cannot_be_made_are_offered_no_longer(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    """In Chromium on Android the permission is granted, and the constructor throws."""
    page = open_browser(permissions=["notifications"]).new_page()
    broken = errors_of(page)
    page.add_init_script(
        "globalThis.Notification = class { constructor() { globalThis.tried = true; throw new TypeError('Illegal'); }"
        " static permission = 'granted'; static async requestPermission() { return 'granted'; } };"
    )
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    own.expect_online()
    own.host.get_by_role("button", name="More actions").click()
    own.host.get_by_role("menuitemcheckbox", name="Desktop notifications").click()
    page.wait_for_function("localStorage.getItem('belfry-desktop') === 'on'")
    page.evaluate("Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => 'hidden' })")
    shop.notify(recipients=[bob], title="while nobody looks")
    page.wait_for_function("globalThis.tried")
    page.evaluate("delete document.visibilityState")
    expect(own.titles).to_have_text(["while nobody looks"])
    own.host.get_by_role("button", name="More actions").click()
    expect(own.host.get_by_role("menuitemcheckbox", name="Sound")).to_be_visible()
    expect(own.host.get_by_role("menuitemcheckbox", name="Desktop notifications")).to_have_count(0)
    assert broken == []


def test_a_title_that_the_page_changes_itself_is_counted_upon_and_left_alone_at_the_end(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    page = open_browser().new_page()
    own = answer_with(page, stack, element(stack, token_for(bob), "page-badge"))
    page.wait_for_function("document.querySelector('belfry-inbox').inbox.state.status === 'online'")
    shop.notify(recipients=[bob], title="one")
    expect(page).to_have_title("(1) Our shop")
    page.evaluate("document.title = 'Orders'")
    shop.notify(recipients=[bob], title="two")
    expect(page).to_have_title("(2) Orders")
    page.evaluate("document.title = 'Baskets'")
    own.host.evaluate("host => host.remove()")
    page.wait_for_function("document.title === 'Baskets'")


@pytest.fixture
def blocking(chromium: Browser, tmp_path: Path) -> Iterator[BrowserContext]:
    """A browser that blocks all site data, by Chromium's setting."""
    settings = tmp_path / "Default" / "Preferences"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"profile": {"default_content_setting_values": {"cookies": 2}}}))
    context = chromium.browser_type.launch_persistent_context(tmp_path, **launch_options())
    yield context
    context.close()


def test_where_all_site_data_is_blocked_each_tab_leads_alone_and_works_in_full(
    blocking: BrowserContext, stack: Stack, shop: Person, bob: str
) -> None:
    page, other = blocking.new_page(), blocking.new_page()
    broken = errors_of(page)
    owns = [answer_with(each, stack, element(stack, token_for(bob), "inline")) for each in (page, other)]
    refused = page.evaluate("navigator.locks.request('any', () => 'granted').catch((error) => error.name)")
    assert refused == "SecurityError", "the setting must be in force, or this test says nothing"
    for own in owns:
        own.expect_online()
        assert own.state("leads") is True
    expect_in_full(owns[0], shop, bob)
    expect(owns[1].titles).to_have_text(["live"])
    assert broken == []


def test_the_demo_page_works_where_all_site_data_is_blocked(
    blocking: BrowserContext, stack: Stack, shop: Person, bob: str
) -> None:
    page = blocking.new_page()
    broken = errors_of(page)
    page.goto(f"{stack.api_url}/#bob={token_for(bob)}")
    pane = Pane(page)
    pane.expect_online()
    shop.notify(recipients=[bob], title="live", body="live")
    pane.expect_bodies("live")
    assert broken == []

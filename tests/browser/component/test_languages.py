"""Language tags of operating systems, malformed items, and a `renderItem` that throws: the list stays whole."""

import json
import re

import pytest
from playwright.sync_api import Page, Route, expect

from dev.stack import Stack
from tests.browser.conftest import OpenBrowser
from tests.browser.support.observers import errors_of
from tests.browser.support.own_page import OwnPage, answer_with, element
from tests.support.people import Person
from tests.support.stack import token_for

NAVIGATOR = "Object.defineProperty(Navigator.prototype, 'language', { get: () => LANGUAGE });"
ENGLISH, CHINESE = "Online", "在线"
TAGS = [
    ("en-US@posix", ENGLISH),
    ("en_US.UTF-8", ENGLISH),
    ("zh_CN", CHINESE),
    ("zh_TW.Big5@radical", CHINESE),
    ("pt_BR", ENGLISH),
    ("C", ENGLISH),
    ("C.UTF-8", ENGLISH),
    ("POSIX", ENGLISH),
    ("not a language!", ENGLISH),
    ("en--US", ENGLISH),
    ("☂", ENGLISH),
    ("", ENGLISH),
]


def expect_all_shown(own: OwnPage, online: str, *titles: str) -> None:
    expect(own.status()).to_have_text(online)
    expect(own.titles).to_have_text(list(titles))
    expect(own.items.locator("time")).to_have_text([re.compile(r"\S")] * len(titles))


def test_any_language_tag_shows_the_items_in_that_language_or_in_english(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    page = open_browser(locale="en-GB").new_page()
    broken = errors_of(page)
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    for language, online in TAGS:
        own.host.evaluate("(host, language) => host.setAttribute('lang', language)", language)
        expect_all_shown(own, online, "one")
    assert broken == []


@pytest.mark.parametrize(("language", "online"), [TAGS[0], ("zh_CN.UTF-8", CHINESE)])
@pytest.mark.parametrize("place", ["browser", "page"])
def test_so_does_the_tag_of_the_page_and_that_of_the_browser(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, language: str, online: str, place: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    page = open_browser().new_page()
    broken = errors_of(page)
    told = language if place == "browser" else "en-GB"
    page.add_init_script(NAVIGATOR.replace("LANGUAGE", json.dumps(told)))
    line = element(stack, token_for(bob), "inline")
    own = answer_with(page, stack, line, language if place == "page" else "")
    expect_all_shown(own, online, "one")
    assert broken == []


def test_a_tag_that_is_none_falls_back_to_the_pages_and_then_to_the_browsers(
    open_browser: OpenBrowser, stack: Stack, bob: str
) -> None:
    page = open_browser(locale="zh-CN").new_page()
    own = answer_with(page, stack, element(stack, token_for(bob), "inline lang='???'"), "not a language!")
    expect(own.status()).to_have_text(CHINESE)
    page.evaluate("document.documentElement.lang = 'en_GB'")
    own.host.evaluate("host => host.setAttribute('lang', '!!!')")
    expect(own.status()).to_have_text(ENGLISH)


ODD: list[dict[str, object]] = [
    {"created_at": "not a moment"},
    {"created_at": None},
    {"created_at": "+999999-01-01T00:00:00Z"},
    {"title": None},
    {"title": 7},
    {"title": {"en": "a title"}},
    {"body": ["a", "list"]},
    {"kind": None},
    {"kind": 7},
    {"actor": {"id": "alice"}},
    {"severity": 3},
    {"url": 5},
    {"url": "http://["},
    {"data": "text"},
]


def change_odd_ones(page: Page) -> None:
    """Replace fields in every answer: the item "odd 3" gets those of `ODD[3]`."""

    def changed(item: dict[str, object]) -> dict[str, object]:
        name, _, number = str(item["title"]).partition(" ")
        return item | ODD[int(number)] if name == "odd" else item

    def change(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        route.fulfill(response=answer, body=json.dumps(told | {"items": [changed(item) for item in told["items"]]}))

    page.route(re.compile(r"/v1/inbox\?"), change)


def test_items_with_odd_data_are_rows_as_good_as_they_can_be_and_the_others_are_there(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    for title in ("first", *(f"odd {number}" for number in range(len(ODD))), "last"):
        shop.notify(recipients=[bob], title=title)
    Person(bob, stack).expect_stored(len(ODD) + 2)
    page = open_browser(viewport={"width": 900, "height": 2400}).new_page()
    broken = errors_of(page)
    change_odd_ones(page)
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    own.host.evaluate("host => host.addEventListener('belfry-open', (event) => event.preventDefault())")
    own.expect_online()
    expect(own.items).to_have_count(len(ODD) + 2)
    expect(own.titles.first).to_have_text("last")
    expect(own.titles.last).to_have_text("first")
    for number in range(len(ODD)):
        own.items.nth(number + 1).click()
    own.expect_unread(2)
    shop.notify(recipients=[bob], title="newest")
    expect(own.titles.first).to_have_text("newest")
    assert len(broken) == 1, broken
    assert broken[0].startswith("<belfry-inbox>: An item's data cannot be shown as it is.")


RENDERS = """host => {
  host.renderItem = (item) => {
    if (item.title === "throws") throw new Error("of the page's own");
    if (item.title === "gives text") return "text";
    const own = document.createElement("p");
    own.textContent = `our ${item.title}`;
    return own;
  };
}"""


def test_a_render_item_that_throws_leaves_the_items_own_look_and_says_so_once(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    for title in ("one", "throws", "gives text", "throws", "five"):
        shop.notify(recipients=[bob], title=title)
    Person(bob, stack).expect_stored(5)
    page = open_browser().new_page()
    broken = errors_of(page)
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    own.host.evaluate(RENDERS)
    own.expect_online()
    expect(own.items).to_have_count(5)
    for text in ("our one", "our five"):
        expect(own.host.get_by_text(text, exact=True)).to_be_visible()
    for text, count in (("throws", 2), ("gives text", 1)):
        expect(own.titles.get_by_text(text, exact=True)).to_have_count(count)
        expect(own.titles.get_by_text(text, exact=True).first).to_be_visible()
    shop.notify(recipients=[bob], title="six")
    expect(own.host.get_by_text("our six", exact=True)).to_be_visible()
    assert len(broken) == 1, broken
    assert broken[0].startswith("<belfry-inbox>: renderItem failed; the item's own look is shown.")

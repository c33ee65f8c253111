"""The demo page and the component when Belfry is served under a path of a site."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenBrowser, someone
from tests.browser.support.own_page import OwnPage
from tests.browser.support.pane import Pane
from tests.support.people import Person
from tests.support.stack import token_for
from tests.support.under_a_path import Site, under_a_path

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Our shop</title></head>
<body>{element}<script type="module" src="/belfry/static/belfry-inbox.js"></script></body></html>"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with under_a_path() as site:
        yield site


def test_the_demo_page_works_below_a_path(site: Site, open_browser: OpenBrowser) -> None:
    alice, bob = someone("alice"), someone("bob")
    page = open_browser().new_page()
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url))
    page.goto(f"{site.api}/#alice={token_for(alice)}&bob={token_for(bob)}")
    writer, reader = Pane(page, 0), Pane(page, 1)
    for pane in (writer, reader):
        pane.expect_online()
    writer.write(bob, "Hello from below")
    expect(reader.bodies).to_have_text(["Hello from below"])
    expect(page.locator("#snippet")).to_contain_text(f'api="{site.api}"')
    page.get_by_role("link", name="API reference").click()
    expect(page.get_by_role("heading", name="Belfry API")).to_be_visible()
    page.go_back()
    assert [url for url in outside if not url.startswith((f"{site.api}/", f"{site.push}/"))] == []


@pytest.mark.parametrize("where", [("/belfry", "/live"), ("../belfry/", "../live/"), None])
def test_the_component_takes_addresses_with_a_path_and_relative_ones(
    site: Site, open_browser: OpenBrowser, where: tuple[str, str] | None
) -> None:
    bob = someone("bob")
    api, push = where or (site.api, site.push)
    element = f'<belfry-inbox inline api="{api}" push="{push}" token="{token_for(bob)}" poll="600"></belfry-inbox>'
    text = PAGE.format(element=element)

    def fulfill(route: Route) -> None:
        route.fulfill(body=text, content_type="text/html; charset=utf-8")

    page = open_browser().new_page()
    page.route("**/shop/boots", fulfill)
    page.goto(f"{site.url}/shop/boots")
    own = OwnPage(page)
    own.expect_online()
    Person(someone("shop"), site.stack, "notify").notify(recipients=[bob], title="New boots")
    expect(own.titles).to_have_text(["New boots"])

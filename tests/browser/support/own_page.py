"""A page with the component on it, as a team would add it."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

from dev.stack import Stack

OpenOwnPage = Callable[..., "OwnPage"]
PATH = "/a-page-of-ours"
PAGE = """<!doctype html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">
<meta name="color-scheme" content="light dark"><title>Our shop</title></head>
<body style="margin: 16px; min-height: 600px"><h1>Our shop</h1>{body}
<script type="module" src="{api}/static/belfry-inbox.js"></script></body></html>"""


class OwnPage:
    """The page, with locators for the parts of the component."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.host = page.locator("belfry-inbox")
        self.bell = self.host.locator("button.bell")
        self.panel = self.host.locator(".panel")
        self.items = self.host.get_by_role("article")
        self.titles = self.items.locator(".title")
        self.notice = self.host.get_by_role("alert")

    def open(self) -> None:
        self.bell.click()
        expect(self.panel).to_be_visible()

    def item(self, title: str) -> Locator:
        return self.items.filter(has_text=title)

    def status(self) -> Locator:
        return self.host.get_by_role("status")

    def expect_badge(self, count: int | str) -> None:
        badge = self.bell.locator(".badge")
        if count:
            expect(badge).to_have_text(str(count))
        else:
            expect(badge).to_be_hidden()

    def expect_unread(self, count: int) -> None:
        expect(self.host.locator(".count")).to_have_text(f"{count} unread" if count else "")

    def state(self, name: str) -> Any:
        """A field of `inbox.state`."""
        return self.host.evaluate("(host, name) => host.inbox?.state[name] ?? null", name)

    def expect_online(self) -> None:
        expect(self.status()).to_have_text("Online")


def element(stack: Stack, token: str | None, attributes: str = "", **differs: str) -> str:
    """The component's HTML, as in the README."""
    values = {"api": stack.api_url, "push": stack.push_url, "token": token, **differs}
    text = " ".join(f'{name}="{value}"' for name, value in values.items() if value is not None)
    return f"<belfry-inbox {text} {attributes}></belfry-inbox>"


def answer_with(page: Page, stack: Stack, body: str, lang: str = "en", dir_: str = "ltr") -> OwnPage:
    """Serve a page with this body, and go there."""
    text = PAGE.format(body=body, lang=lang, dir=dir_, api=stack.api_url)

    def fulfill(route: Route) -> None:
        route.fulfill(body=text, content_type="text/html; charset=utf-8")

    page.route("**" + PATH, fulfill)
    page.goto(stack.api_url + PATH)
    return OwnPage(page)


def choose(page: OwnPage, title: str, action: str) -> None:
    """Choose an action from an item's menu."""
    item = page.item(title)
    item.hover()
    item.get_by_role("button", name="Actions for").click()
    page.host.get_by_role("menuitem", name=action, exact=True).click()

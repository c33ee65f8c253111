"""The API's reference page in a real Chromium: Swagger UI under a policy that allows no inline script and no style."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, expect

from api.app import ENDPOINTS
from dev.stack import Stack
from tests.browser.component.test_accessibility import serious
from tests.browser.conftest import OpenBrowser, someone
from tests.support.stack import token_for


@dataclass
class Reference:
    page: Page
    requested: list[str] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)

    def operation(self, operation_id: str) -> str:
        """The CSS selector of an operation's block."""
        return f"[id$='-{operation_id}']"


@pytest.fixture(params=["light", "dark"])
def reference(stack: Stack, open_browser: OpenBrowser, request: pytest.FixtureRequest) -> Iterator[Reference]:
    opened = Reference(open_browser(color_scheme=request.param).new_page())
    opened.page.on("request", lambda sent: opened.requested.append(sent.url))
    opened.page.on("console", lambda message: opened.logged.append(message.text))
    opened.page.goto(f"{stack.api_url}/docs")
    expect(opened.page.locator(".opblock")).to_have_count(len(ENDPOINTS))
    yield opened
    assert opened.logged == []
    assert [url for url in opened.requested if not url.startswith((f"{stack.api_url}/", "data:"))] == []


def test_every_call_is_shown_by_its_operation_id(reference: Reference) -> None:
    for one in ENDPOINTS:
        block = reference.page.locator(reference.operation(one.run.__name__))
        expect(block.locator(".opblock-summary-method")).to_have_text(one.method)
        expect(block.locator(".opblock-summary-path")).to_have_text(
            one.path.replace("/", "\u200b/"), use_inner_text=True
        )


def test_a_request_can_be_sent_from_the_page_with_a_token(reference: Reference) -> None:
    page, bob = reference.page, someone("bob")
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    dialog.get_by_role("textbox").fill(token_for(bob))
    dialog.get_by_role("button", name="Authorize").click()
    dialog.get_by_role("button", name="Close").last.click()
    block = page.locator(reference.operation("read_summary"))
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table tbody .response-col_status")).to_have_text("200")
    expect(block.locator(".live-responses-table")).to_contain_text('"unread": 0')


def test_an_operation_has_an_address_of_its_own(reference: Reference, stack: Stack) -> None:
    reference.page.locator(reference.operation("notify")).locator(".opblock-summary-control").click()
    assert reference.page.url == f"{stack.api_url}/docs#/notifications/notify"
    reference.page.reload()
    expect(reference.page.locator(reference.operation("notify")).locator(".opblock-body")).to_be_visible()


def test_axe_finds_nothing_serious(reference: Reference) -> None:
    page = reference.page
    for one in ("notify", "read_summary", "unfollow"):
        page.locator(reference.operation(one)).locator(".opblock-summary-control").click()
    assert serious(page) == []
    page.get_by_role("button", name="Authorize").first.click()
    expect(page.locator(".modal-ux")).to_be_visible()
    assert serious(page) == []

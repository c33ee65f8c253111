"""`make screenshot`: take the README's screenshot of the demo page, on a separate system."""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from auth.tokens import issue
from client.inbox import Inbox
from dev.embedded import EXPORTED, embedded
from dev.install import find_chromium
from dev.processes import free_port
from dev.stack import ROOT, Stack

SCREENSHOT = ROOT / "docs" / "demo.png"
SIZE_MAX = 200_000  # bytes
PEOPLE = ("alice", "bob", "carol")
TOKEN_SECONDS = 600
TIMEOUT = 30_000  # milliseconds


def main() -> int:
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    unset = dict.fromkeys(EXPORTED, "")
    with ExitStack() as contexts:
        folder = Path(contexts.enter_context(tempfile.TemporaryDirectory(prefix="belfry-screenshot-")))
        services = contexts.enter_context(embedded(folder, ports | unset))
        stack = contexts.enter_context(Stack(folder, services.environ))
        playwright = contexts.enter_context(sync_playwright())
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--disable-gpu", *sandbox])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(TIMEOUT)
        SCREENSHOT.parent.mkdir(exist_ok=True)
        take_screenshot(page, stack)
        browser.close()
    size = SCREENSHOT.stat().st_size
    print(f"{SCREENSHOT.relative_to(ROOT)}: {size:,} bytes")
    return 0 if size < SIZE_MAX else 1


def take_screenshot(page: Page, stack: Stack) -> None:
    tokens = {name: issue(stack.environ["JWT_SECRET"], name, ["inbox", "notify"], TOKEN_SECONDS) for name in PEOPLE}
    people = {name: Inbox(stack.api_url, stack.push_url, token) for name, token in tokens.items()}
    login = {
        "recipients": list(PEOPLE),
        "kind": "security.login",
        "title": "New sign-in from Lisbon",
        "severity": "high",
    }
    people["carol"].request("POST", "/v1/notifications", login)
    page.goto(f"{stack.api_url}/#" + "&".join(f"{name}={token}" for name, token in tokens.items()))
    expect(page.get_by_role("article")).to_have_count(3, timeout=TIMEOUT)
    people["carol"].request("POST", "/v1/follows", {"target": "alice"})
    people["bob"].request("POST", "/v1/messages", {"to": "carol", "text": "The draft is ready. Have a look?"})
    order = {"recipients": ["alice"], "kind": "order.shipped", "title": "Order 41 is on its way", "url": "/orders/41"}
    people["bob"].request("POST", "/v1/notifications", order)
    expect(page.get_by_role("article")).to_have_count(6, timeout=TIMEOUT)
    written = (("bob", "Are you coming on Thursday?"), ("carol", "Thank you for following!"))
    for count, (to, text) in enumerate(written, start=1):
        alice = page.locator(".pane").first
        alice.get_by_label("To", exact=True).fill(to)
        alice.get_by_label("Message", exact=True).fill(text)
        alice.get_by_label("Message", exact=True).press("Enter")
        expect(page.locator(".timeline")).to_have_count(count)
        expect(page.locator(".timeline").first.locator("[data-reached]")).to_have_count(4, timeout=TIMEOUT)
    page.mouse.click(5, 5)
    expect(page.locator(".toast")).to_have_count(0, timeout=TIMEOUT)  # they cover the inboxes until they close
    page.screenshot(path=SCREENSHOT)


if __name__ == "__main__":
    sys.exit(main())

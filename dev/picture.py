"""`make picture`: takes the README's picture of the demo page, from a system that runs for it alone."""

import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from auth.tokens import issue
from client.inbox import Inbox
from dev.embedded import embedded
from dev.install import find_chromium
from dev.processes import free_port
from dev.stack import ROOT, Stack

PICTURE = ROOT / "docs" / "demo.png"
SIZE_MAX = 200_000  # bytes
PEOPLE = ("alice", "bob", "carol")
TOKEN_SECONDS = 600
PATIENCE = 30_000  # milliseconds


def main() -> int:
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    own = dict.fromkeys(("DATABASE_URL", "BROKER_URL", "JWT_SECRET", "JWT_JWKS_URL", "JWT_AUDIENCE", "JWT_ISSUER"), "")
    with ExitStack() as open_:
        folder = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="belfry-picture-")))
        found = open_.enter_context(embedded(folder, ports | own))
        stack = open_.enter_context(Stack(folder, found.environ))
        playwright = open_.enter_context(sync_playwright())
        sandbox = [] if os.geteuid() else ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--disable-gpu", *sandbox])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE)
        PICTURE.parent.mkdir(exist_ok=True)
        take(page, stack)
        browser.close()
    size = PICTURE.stat().st_size
    print(f"{PICTURE.relative_to(ROOT)}: {size:,} bytes")
    return 0 if size < SIZE_MAX else 1


def take(page: Page, stack: Stack) -> None:
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
    expect(page.get_by_role("article")).to_have_count(3, timeout=PATIENCE)
    people["carol"].request("POST", "/v1/follows", {"target": "alice"})
    people["bob"].request("POST", "/v1/messages", {"to": "carol", "text": "The draft is ready. Have a look?"})
    order = {"recipients": ["alice"], "kind": "order.shipped", "title": "Order 41 is on its way", "url": "/orders/41"}
    people["bob"].request("POST", "/v1/notifications", order)
    expect(page.get_by_role("article")).to_have_count(6, timeout=PATIENCE)
    written = (("bob", "Are you coming on Thursday?"), ("carol", "Thank you for following!"))
    for count, (to, text) in enumerate(written, start=1):
        alice = page.locator(".pane").first
        alice.get_by_label("To", exact=True).fill(to)
        alice.get_by_label("Message", exact=True).fill(text)
        alice.get_by_label("Message", exact=True).press("Enter")
        expect(page.locator(".timeline")).to_have_count(count)
        expect(page.locator(".timeline").first.locator("[data-reached]")).to_have_count(4, timeout=PATIENCE)
    page.mouse.click(5, 5)
    expect(page.locator(".toast")).to_have_count(0, timeout=PATIENCE)  # they come up over the inboxes, and go
    page.screenshot(path=PICTURE)


if __name__ == "__main__":
    sys.exit(main())

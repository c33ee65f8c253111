"""`python -m bench.first_load`: bytes that a page's first load transfers, and the time until the inbox shows.

Chromium, with an empty cache for each load, against a system on SQLite that it starts. Takes a minute.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from dev.install import find_chromium
from dev.stack import Stack
from tests.support.people import Person
from tests.support.stack import embedded_stack, token_for

LOADS = 9
ITEMS = 200
PATIENCE = 60_000  # milliseconds
A_PHONE = {"latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}  # bits a second: slow 4G
NETWORKS: dict[str, dict[str, float] | None] = {"loopback": None, "a slow 4G, emulated": A_PHONE}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A shop</title>
<script type="module" src="/static/belfry-inbox.js"></script></head><body>
<belfry-inbox api="{api}" push="{push}" token="{token}" inline></belfry-inbox></body></html>"""

# Records when the first item is on the screen, counted from the navigation.
NOTE = """(() => {
  const look = () => {
    const shown = [...document.querySelectorAll("belfry-inbox")].some((one) => one.shadowRoot?.querySelector(".row"));
    if (shown) globalThis.shownAt = performance.now();
    else requestAnimationFrame(look);
  };
  look();
})();"""
LOADED = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .map(({ name, transferSize }) => [new URL(name).pathname, transferSize])"""


@dataclass(frozen=True)
class Load:
    """Bytes transferred by path, headers included, and milliseconds until the first item showed."""

    transferred: dict[str, int]
    shown_ms: float


def main() -> int:
    with embedded_stack() as stack, chromium() as browser:
        people = ("alice", "bob", "carol")
        fill(stack, people)
        tokens = {name: token_for(name, "inbox", "notify") for name in people}
        own = PAGE.format(api=stack.api_url, push=stack.push_url, token=tokens["bob"])
        demo = f"{stack.api_url}/#" + "&".join(f"{name}={token}" for name, token in tokens.items())
        for network, pace in NETWORKS.items():
            tell(
                f"a page with the component, {network}",
                [load(browser, f"{stack.api_url}/shop", pace, own) for _ in range(LOADS)],
            )
            tell(
                f"the demo page, three people, six devices, {network}",
                [load(browser, demo, pace) for _ in range(LOADS)],
            )
    return 0


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--disable-gpu", "--no-sandbox"])
        yield browser
        browser.close()


def fill(stack: Stack, people: tuple[str, ...]) -> None:
    """Publish as many items as a busy inbox holds, with texts of a usual length."""
    told = [
        {
            "recipients": list(people),
            "kind": "order.shipped",
            "title": f"Order {number} is on its way",
            "body": "b" * 90,
        }
        for number in range(ITEMS)
    ]
    Person("shop", stack, "notify").ok("POST", "/v1/notifications/batch", {"notifications": told})
    for name in people:
        Person(name, stack).expect_stored(ITEMS)


def load(browser: Browser, address: str, pace: dict[str, float] | None, answered: str | None = None) -> Load:
    """Load the page in a fresh browser context; `answered` is the page's HTML if the server does not serve it."""
    context = browser.new_context(bypass_csp=True)  # otherwise the page cannot be queried
    page = context.new_page()
    page.add_init_script(NOTE)
    if answered:
        page.route(address, lambda route: route.fulfill(body=answered, content_type="text/html"))
    if pace:
        context.new_cdp_session(page).send("Network.emulateNetworkConditions", {"offline": False, **pace})
    page.goto(address)
    page.wait_for_function("globalThis.shownAt", timeout=PATIENCE)
    found = Load(transferred(page), float(page.evaluate("shownAt")))
    context.close()
    return found


def transferred(page: Page) -> dict[str, int]:
    sizes: list[tuple[str, Any]] = page.evaluate(LOADED)
    names = {path for path, _ in sizes}
    return {name: sum(size for path, size in sizes if path == name) for name in sorted(names)}


def tell(what: str, loads: list[Load]) -> None:
    shown = sorted(load.shown_ms for load in loads)
    sizes = loads[-1].transferred
    print(f"\n{what}: shown after {median(shown):.0f} ms ({shown[0]:.0f} to {shown[-1]:.0f})")
    for path, size in sizes.items():
        print(f"  {size:>8,}  {path}")
    print(f"  {sum(sizes.values()):>8,}  bytes in all, of {len(sizes)} addresses", flush=True)


if __name__ == "__main__":
    sys.exit(main())

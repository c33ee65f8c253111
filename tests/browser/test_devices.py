"""Several tabs, several browsers, tokens that end, brokers and networks that go away, and what is set up wrongly."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from api.pages import BUILT
from ops.install import find_node
from ops.redis import EmbeddedRedis
from ops.services import temporary_folder
from ops.stack import ROOT, Stack
from tests.browser.conftest import someone
from tests.browser.own_page import OpenOwnPage, OwnPage, answer_with, element
from tests.support import wait_for
from tests.support.needs import do_without
from tests.support.people import Person
from tests.support.stack import start_stack, token_for
from tests.test_readme import snippet

SHORT = 4  # seconds that a token lasts which is to end during a test
PATIENCE = 60_000

OpenBrowser = Callable[..., BrowserContext]


@pytest.fixture
def shop(stack: Stack) -> Person:
    return Person(someone("shop"), stack, "notify")


def count_sockets(page: Page) -> list[str]:
    """The WebSockets that the page opens, as it opens them."""
    opened: list[str] = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    return opened


def test_tabs_share_one_socket_and_with_another_browser_stay_in_step(
    own_page: OpenOwnPage, open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    first = own_page(token_for(bob), "inline")
    first.expect_online()
    second_page = first.page.context.new_page()
    sockets = count_sockets(second_page)
    second = answer_with(second_page, stack, element(stack, token_for(bob), "inline"))
    elsewhere = own_page(token_for(bob), "inline")
    for page in (second, elsewhere):
        page.expect_online()
    assert (first.state("leads"), second.state("leads"), elsewhere.state("leads")) == (True, False, True)
    for title in ("one", "two", "three"):
        shop.notify(recipients=[bob], title=title)
    everywhere = (first, second, elsewhere)
    for page in everywhere:
        expect(page.titles).to_have_text(["three", "two", "one"])
    second.items.filter(has_text="one").click()
    for page in everywhere:
        page.expect_unread(2)
    elsewhere.host.evaluate("host => host.inbox.archive(host.inbox.state.items[0].seq)")
    for page in everywhere:
        expect(page.titles).to_have_text(["two", "one"])
    first.host.get_by_role("button", name="Mark all read").click()
    for page in everywhere:
        page.expect_unread(0)
    assert sockets == []
    first.page.close()
    wait_for(lambda: second.state("leads") and second.state("status") == "online", 20, "the other tab to lead")
    assert len(sockets) == 1
    shop.notify(recipients=[bob], title="four")
    for page in (second, elsewhere):
        expect(page.titles).to_have_text(["four", "two", "one"])


def test_a_token_that_ends_is_renewed_and_the_socket_stays(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    page = open_browser().new_page()
    sockets = count_sockets(page)
    page.route("**/token", lambda route: route.fulfill(body=token_for(bob, ttl_seconds=SHORT)))
    renew = """const host = document.querySelector("belfry-inbox");
        host.getToken = async () => {
          host.dataset.asked = Number(host.dataset.asked ?? 0) + 1;
          return (await fetch("/token")).text();
        };"""
    own = answer_with(page, stack, element(stack, None, "inline") + f"<script>{renew}</script>")
    own.expect_online()
    expect(own.host).to_have_attribute("data-asked", re.compile("[3-9]"), timeout=PATIENCE)
    shop.notify(recipients=[bob], title="after the first token's end")
    expect(own.titles).to_have_text("after the first token's end")
    own.items.click()
    own.expect_unread(0)
    own.expect_online()
    assert len(sockets) == 1


def test_without_the_network_it_shows_what_it_has_and_says_so_and_comes_back(
    own_page: OpenOwnPage, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="before")
    page = own_page(token_for(bob), "inline")
    page.expect_online()
    page.page.context.set_offline(True)
    expect(page.status()).to_have_text("Offline; showing what was here")
    expect(page.titles).to_have_text(["before"])
    shop.notify(recipients=[bob], title="meanwhile")
    page.page.context.set_offline(False)
    expect(page.titles).to_have_text(["meanwhile", "before"])
    expect(page.status()).to_have_text("Online", timeout=PATIENCE)


def test_a_broker_that_is_down_delays_and_marks_reach_other_devices_by_polling(open_browser: OpenBrowser) -> None:
    with temporary_folder() as folder:
        broker = EmbeddedRedis(folder / "redis.log")
        with broker, start_stack(folder, f"sqlite:///{folder}/belfry.db", broker.url) as stack:
            shop, bob = Person("shop", stack, "notify"), Person("bob", stack)
            shop.notify(recipients=["bob"], title="before")
            bob.expect_stored(1)
            page = answer_with(open_browser().new_page(), stack, element(stack, token_for("bob"), "inline poll='0.2'"))
            page.expect_unread(1)
            broker.kill()
            bob.ok("PATCH", "/v1/inbox/1", {"read": True})
            page.expect_unread(0)
            shop.notify(recipients=["bob"], title="while it was down")
            broker.start()
            for name in ("worker", "beat"):  # they would look for the broker again within half a minute, as push does
                stack[name].kill()
                stack[name].start()
            expect(page.titles).to_have_text(["while it was down", "before"], timeout=PATIENCE)


@contextmanager
def serving(status: int, body: str, kind: str) -> Iterator[str]:
    """Another server, which answers everything with this."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.end_headers()
            self.wfile.write(body.encode())

        def do_OPTIONS(self) -> None:
            self.send_response(204)
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header("Access-Control-Allow-Headers", "Authorization")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def open_noting(context: BrowserContext, stack: Stack, body: str) -> tuple[OwnPage, list[str]]:
    """The page, and what it says in the console."""
    page = context.new_page()
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        said.append(message.text)

    page.on("console", note)
    return answer_with(page, stack, body), said


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (None, "There is no token. Give a token by the attribute"),
        ("open sesame", "This is not a token. Give a JWT"),
        (token_for("bob", "notify"), "The token does not allow this. Sign the token with"),
        (token_for("bob", ttl_seconds=-60), "The token was refused. It has expired"),
    ],
    ids=["none", "garbage", "without-scope", "expired"],
)
def test_a_wrong_token_is_said_in_its_place_and_in_the_console(
    open_browser: OpenBrowser, stack: Stack, token: str | None, says: str
) -> None:
    page, said = open_noting(open_browser(), stack, element(stack, token))
    page.expect_badge("!")
    page.open()
    expect(page.notice).to_contain_text(says)
    assert any(says in line for line in said)
    good = token_for("bob")
    page.host.evaluate("(host, token) => host.setAttribute('token', token)", good)
    page.expect_online()
    expect(page.notice).to_be_hidden()


def test_an_address_where_something_else_or_nobody_answers_is_said(open_browser: OpenBrowser, stack: Stack) -> None:
    context = open_browser()
    with serving(200, "<!doctype html>", "text/html") as other:
        page, said = open_noting(context, stack, element(stack, token_for("bob"), "inline", api=other))
        expect(page.notice).to_contain_text("What answered is not Belfry.")
        assert any("Give the address of Belfry's API" in line for line in said)
    with serving(200, '{"items": []}', "application/json") as older:
        page, _ = open_noting(context, stack, element(stack, token_for("bob"), "inline", api=older))
        expect(page.notice).to_contain_text("The server's answer is not understood.")
    page, _ = open_noting(context, stack, element(stack, token_for("bob"), "inline", api="http://127.0.0.1:9"))
    expect(page.notice).to_contain_text("cannot be reached. Is Belfry running, and is this its address?")


def test_a_page_whose_origin_is_not_listed_is_told_so(open_browser: OpenBrowser, stack: Stack, bob: str) -> None:
    page = open_browser().new_page()
    script = (BUILT / "belfry-inbox.js").read_text()
    page.route("**/belfry-inbox.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    html = f"{element(stack, token_for(bob), 'inline')}<script type='module' src='/belfry-inbox.js'></script>"
    with serving(200, html, "text/html") as elsewhere:
        page.goto(elsewhere)
        own = OwnPage(page)
        expect(own.notice).to_contain_text(f"does not answer pages of {elsewhere}.")
        expect(own.notice).to_contain_text("List this page's origin in the server's CORS_ORIGINS")


def test_the_line_for_plain_html_works_as_pasted(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    body = snippet("html", stack).replace("eyJ…", token_for(bob))
    page = answer_with(open_browser().new_page(), stack, body)
    page.expect_badge(1)


@pytest.mark.parametrize("language", ["jsx", "vue"])
def test_the_component_for_a_framework_works_as_pasted(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, tmp_path: Path, language: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    source = tmp_path / f"Inbox.{language}"
    source.write_text(snippet(language, stack))
    page = open_browser().new_page()
    page.add_init_script(f"window.TOKEN = '{token_for(bob)}'")
    script = bundle(language, source)
    page.route("**/bundle.js", lambda route: route.fulfill(body=script, content_type="text/javascript"))
    own = answer_with(page, stack, '<div id="app"></div><script type="module" src="/bundle.js"></script>')
    own.expect_badge(1)
    own.open()
    own.expect_online()


def bundle(language: str, source: Path) -> str:
    node = find_node()
    if node is None or not (ROOT / "web" / "node_modules" / "vue").exists():
        do_without("the browser's packages are not in web/node_modules; `make test` installs them")
    command = [str(node.program), str(ROOT / "tests" / "javascript" / "bundle.mjs"), language, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_load_is_small(open_browser: OpenBrowser, stack: Stack, bob: str) -> None:
    page = open_browser().new_page()
    own = answer_with(page, stack, element(stack, token_for(bob), "inline"))
    own.expect_online()
    sizes = "performance.getEntriesByType('resource').map(entry => [entry.name, entry.transferSize])"
    loaded = {name.rpartition("/")[2]: size for name, size in page.evaluate(sizes)}
    assert 0 < loaded["belfry-inbox.js"] < 45_000
    assert sum(loaded.values()) < 60_000

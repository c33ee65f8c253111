"""The examples for HTML, React and Vue on the pages, as pasted; and the size of the first load."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from bench.first_load import PAGE, load
from dev.install import find_node
from dev.stack import ROOT, Stack
from tests.browser.conftest import OpenBrowser
from tests.browser.support.own_page import answer_with
from tests.support.documents import CLIENTS, README, snippet
from tests.support.needs import skip_or_fail
from tests.support.people import Person
from tests.support.stack import token_for


@pytest.mark.parametrize("document", [README, CLIENTS])
def test_the_lines_for_plain_html_work_as_pasted(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, document: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    body = snippet(document, "html", stack).replace("eyJ…", token_for(bob))
    page = answer_with(open_browser().new_page(), stack, body)
    page.expect_badge(1)


@pytest.mark.parametrize("language", ["jsx", "vue"])
def test_the_component_for_a_framework_works_as_pasted(
    open_browser: OpenBrowser, stack: Stack, shop: Person, bob: str, tmp_path: Path, language: str
) -> None:
    shop.notify(recipients=[bob], title="one")
    source = tmp_path / f"Inbox.{language}"
    source.write_text(snippet(CLIENTS, language, stack))
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
        skip_or_fail("the browser's packages are not in web/node_modules; `make test` installs them")
    command = [str(node.program), str(ROOT / "tests" / "web" / "javascript" / "bundle.mjs"), language, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_load_is_small(chromium: Browser, stack: Stack, shop: Person, bob: str) -> None:
    shop.notify(recipients=[bob], title="one")
    Person(bob, stack).expect_stored(1)
    page = PAGE.format(api=stack.api_url, push=stack.push_url, token=token_for(bob))
    seen = load(chromium, f"{stack.api_url}/shop", None, page)
    assert 0 < seen.transferred["/static/belfry-inbox.js"] < 42_000
    assert sum(seen.transferred.values()) < 45_000
    assert 0 < seen.shown_ms < 30_000

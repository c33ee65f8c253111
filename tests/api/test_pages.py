import re

import httpx
import pytest

from api.pages import BUILT, content_policy
from tests.api.running import Api, answered, problem

ALLOWED = "https://app.example.com"


def test_the_browser_learns_where_the_push_server_is(api: Api) -> None:
    assert answered(api.http.get("/config.json"), 200) == {"api": "v1", "push_url": "https://push.example.com"}


def test_the_page_is_served_with_all_the_files_it_names(api: Api) -> None:
    page = api.http.get("/")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    named = set(re.findall(r'(?:src|href)="(static/[^"]+)"', page.text))
    assert named
    for path in named if BUILT.exists() else named - {"static/demo.js", "static/page.css"}:
        answer = api.http.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


@pytest.mark.skipif(not BUILT.exists(), reason="the browser's side is not built; `make setup` does it")
@pytest.mark.parametrize("name", ["belfry-client.js", "belfry-inbox.js"])
def test_the_scripts_are_served_compressed_to_any_page_so_that_the_component_can_say_what_else_is_refused(
    api: Api, name: str
) -> None:
    for origin in (ALLOWED, "https://elsewhere.example", "null"):
        answer = api.http.get(f"/static/{name}", headers={"Origin": origin, "Accept-Encoding": "gzip"})
        assert answer.headers.get_list("Access-Control-Allow-Origin") == ["*"]
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Cache-Control"] == "no-cache"
    assert httpx.get(f"{api.url}/static/{name}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


@pytest.mark.skipif(not BUILT.exists(), reason="the browser's side is not built; `make setup` does it")
def test_the_largest_script_is_left_to_a_proxy_to_compress(api: Api) -> None:
    path = "swagger-ui/swagger-ui-bundle.js"
    answer = api.http.get(f"/static/{path}", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers
    assert answer.content == (BUILT / path).read_bytes()
    again = api.http.get(f"/static/{path}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_page_may_talk_to_this_server_and_the_push_server_only() -> None:
    policy = content_policy("http://127.0.0.1:8001")
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["connect-src"] == "'self' http://127.0.0.1:8001 ws://127.0.0.1:8001"
    assert directives["script-src"] == "'self'"
    assert directives["default-src"] == "'none'"
    assert "wss://push.example.com" in content_policy("https://push.example.com/socket")


@pytest.mark.parametrize(
    "path", ["..%2f..%2fsettings.py", "../app.js/../../package.json", "%2fetc/passwd", "index.html", "x.py"]
)
def test_nothing_but_the_pages_own_files_is_served(api: Api, path: str) -> None:
    problem(httpx.get(f"{api.url}/static/{path}"), 404, "not_found")

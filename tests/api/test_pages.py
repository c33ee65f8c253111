import httpx
import pytest

from api.pages import content_policy
from tests.api.running import Api, answered, problem


def test_the_browser_learns_where_the_push_server_is(api: Api) -> None:
    assert answered(api.http.get("/config.json"), 200) == {"api": "/v1", "push_url": "https://push.example.com"}


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

"""Every path answers HEAD as GET, and OPTIONS with its methods."""

import http.client
import re
from urllib.parse import urlsplit

import pytest

from api.app import ENDPOINTS
from tests.api.running import Api, Caller, answered, problem

PAGES = ["/", "/config.json", "/docs", "/docs.css", "/docs.js", "/openapi.json", "/metrics"]
EXAMPLES = {"seq": "1", "topic": "boots", "target": "bob", "notification_id": "019ac5a7-8c00-7000-8000-0000000000a1"}
METHODS: dict[str, set[str]] = {}
for one in ENDPOINTS:
    METHODS.setdefault(re.sub(r"{(\w+)}", lambda name: EXAMPLES[name[1]], one.path), set()).add(one.method)
METHODS |= {page: {"GET"} for page in PAGES}
CHANGING = {"Date", "Connection"}


def raw(api: Api, method: str, path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """The response as it is on the wire, and any bytes after it."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.request(method, path, headers={**headers, "Connection": "close"})
    answer = connection.getresponse()
    body = answer.fp.read() if method == "HEAD" and answer.fp else answer.read()
    connection.close()
    return answer.status, {name: value for name, value in answer.getheaders() if name not in CHANGING}, body


@pytest.mark.parametrize("path", sorted(path for path, methods in METHODS.items() if "GET" in methods))
@pytest.mark.parametrize("accepted", ["identity", "gzip"])
def test_head_answers_as_get_without_the_body(api: Api, path: str, accepted: str) -> None:
    anyone = api.caller("anyone", "inbox", "notify")
    for headers in ({**anyone.headers, "Accept-Encoding": accepted}, {"Accept-Encoding": accepted}):
        if path != "/metrics":  # which counts the HEAD
            get, head = (raw(api, method, path, headers) for method in ("GET", "HEAD"))
            assert head == (get[0], get[1], b"")
            assert int(head[1]["Content-Length"]) == len(get[2])
    assert raw(api, "HEAD", path, headers)[2] == b""


@pytest.mark.parametrize("path", sorted(METHODS))
def test_options_says_what_an_address_takes_and_nothing_more(api: Api, path: str) -> None:
    status, headers, body = raw(api, "OPTIONS", path, {})
    assert (status, body) == (200, b"")
    implied = {"OPTIONS"} | ({"HEAD"} if "GET" in METHODS[path] else set())
    assert {method.strip() for method in headers["Allow"].split(",")} == METHODS[path] | implied
    assert headers["Content-Length"] == "0"
    assert "Content-Type" not in headers


@pytest.mark.parametrize("path", sorted(METHODS))
def test_another_method_is_told_which_there_are(api: Api, shop: Caller, path: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - METHODS[path]:
        answer = shop.request(method, path)
        problem(answer, 405, "method_not_allowed")
        assert METHODS[path] <= {allowed.strip() for allowed in answer.headers["Allow"].split(",")}


def test_nowhere_there_is_nothing_for_any_method(api: Api) -> None:
    for method in ("GET", "POST", "OPTIONS", "TRACE"):
        problem(api.http.request(method, "/v1/nowhere"), 404, "not_found")
    assert api.http.head("/v1/nowhere").content == b""
    assert answered(api.http.get("/v1/nowhere"), 404)["code"] == "not_found"

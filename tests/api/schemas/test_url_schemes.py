"""The `url` of a notification: dangerous links are refused, and URL_SCHEMES allows the addresses of apps."""

import re
from collections.abc import Iterator

import pytest

from tests.api.running import Api, Caller, answered, fields, problem, running_api

REFUSED = ["otherapp://x", "javascript:alert(1)", "data:text/html,x", "myapp:", "myapp", "my app://x", "myapp://a b"]
REFUSED += ["myapp:\\\\x", "xmyapp://x", "myappx://x", "comXexample.app://x", "//myapp://x"]
ALLOWED = [
    "myapp://orders/41",
    "MyApp://x",
    "myapp:orders",
    "com.example.app:/orders",
    "https://example.com",
    "/orders",
]


@pytest.fixture(scope="module")
def allowing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with running_api(f"sqlite:///{folder}/x.sqlite", folder, URL_SCHEMES="myapp, com.example.app") as api:
        yield api


def notification(url: str) -> dict[str, object]:
    return {"recipients": ["bob"], "kind": "k", "title": "t", "url": url}


@pytest.mark.parametrize("url", ALLOWED)
def test_an_allowed_scheme_reaches_the_item(allowing: Api, url: str) -> None:
    shop, reader = allowing.caller("shop", "notify"), allowing.caller("reader")
    allowing.deliver(shop.post("/v1/notifications", notification(url) | {"recipients": [reader.id]}))
    batch = {"notifications": [notification(url)]}
    answered(shop.post("/v1/notifications/batch", batch), 202)
    assert [item["url"] for item in reader.inbox()["items"]] == [url]


@pytest.mark.parametrize("url", REFUSED)
def test_any_other_is_refused(allowing: Api, url: str) -> None:
    refusal = allowing.caller("shop", "notify").post("/v1/notifications", notification(url))
    [(field, _)] = fields(problem(refusal, 422, "invalid_request"))
    assert field == "url"


def test_none_is_allowed_by_default(api: Api, shop: Caller) -> None:
    problem(shop.post("/v1/notifications", notification("myapp://orders/41")), 422, "invalid_request")


def test_the_document_says_which_are_allowed(allowing: Api, api: Api) -> None:
    for server, others in ((allowing, True), (api, False)):
        schema = server.http.get("/openapi.json").json()["components"]["schemas"]["Notification"]["properties"]["url"]
        pattern = schema["anyOf"][0]["pattern"]
        assert [bool(re.search(pattern, url)) for url in ALLOWED] == [others] * 4 + [True, True]
        assert not re.search(pattern, "javascript:alert(1)")


@pytest.mark.parametrize(
    "url",
    [
        f"{before}{scheme}alert(1)"
        for scheme in (
            "javascript:",
            "data:",
            "vbscript:",
            "file:",
            "blob:",
            "about:",
            "JaVaScRiPt:",
            "view-source:http:",
        )
        for before in ("", " ", "\t", "\n", "\x00", "\x01", "\u00a0", "\u2028", "\ufeff", "\u200b", "//")
    ]
    + ["java\tscript:alert(1)", "java\nscript:alert(1)", "java\r\nscript:alert(1)", "javascript\u200b:alert(1)"]
    + ["javascript&colon;alert(1)", "%6aavascript:alert(1)", "ｊavascript:alert(1)", "jav&#x61;script:alert(1)"]
    + ["http:javascript:alert(1)", "https:/x", "http:\\\\x", "http://", "https://\t", "https:// x", "ht\ttps://x"]
    + ["//evil.example", "/\\evil.example", "/\t/evil.example", "\\\\evil.example", "///evil.example", ":", "x:y"],
    ids=repr,
)
def test_a_link_that_could_run_or_lead_astray_is_refused_at_the_door(api: Api, shop: Caller, url: str) -> None:
    body = {"recipients": ["bob"], "kind": "k", "title": "t", "url": url}
    assert [field for field, _ in fields(problem(shop.post("/v1/notifications", body), 422, "invalid_request"))] == [
        "url"
    ]

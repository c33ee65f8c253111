"""An id or a topic in a path may be any text, including slashes and dots."""

import http.client
from urllib.parse import quote, urlsplit

import pytest

from tests.api.running import Api, Caller

HOSTILE = [
    "a/b",
    "/",
    "//",
    "..",
    "../..",
    ".",
    "a/../b",
    "a//b",
    "a%2Fb",
    "%",
    "?",
    "a?b=c",
    "#",
    "a b",
    "é",
    "日本語",
    "🦉",
]
HOSTILE += [
    "a+b",
    "a;b=c",
    "x/subscribers",
    "subscribers",
    "/a/",
    "\\",
    "null",
    "0",
    "'",
    '"',
    "<b>",
    "e\u0301",
    "\u202e",
]


def send(api: Api, caller: Caller, method: str, raw_path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """A request with this very path, which client libraries would normalize."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    headers = {**caller.headers, "Content-Type": "application/json"}
    connection.request(method, raw_path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content


@pytest.mark.parametrize("target", HOSTILE)
def test_a_follow_can_be_ended_whatever_the_target_is_called(api: Api, alice: Caller, target: str) -> None:
    bystander = f"{target}-not"
    for each in (target, bystander):
        assert alice.post("/v1/follows", {"target": each}).status_code == 202
    assert send(api, alice, "DELETE", f"/v1/follows/{quote(target, safe='')}") == (204, b"")
    assert alice.get("/v1/subscriptions").json() == {"topics": [f"user:{bystander}"]}


@pytest.mark.parametrize("topic", HOSTILE)
def test_a_topic_may_have_any_name(api: Api, alice: Caller, topic: str) -> None:
    path = f"/v1/subscriptions/{quote(topic, safe='')}"
    assert send(api, alice, "PUT", path) == (204, b"")
    assert alice.get("/v1/subscriptions").json() == {"topics": [topic]}
    assert send(api, alice, "DELETE", path) == (204, b"")
    assert alice.get("/v1/subscriptions").json() == {"topics": []}


@pytest.mark.parametrize("topic", HOSTILE)
def test_a_producer_can_subscribe_others_to_a_topic_of_any_name(
    api: Api, shop: Caller, alice: Caller, topic: str
) -> None:
    body = f'{{"add": ["{alice.id}"]}}'.encode()
    status, _ = send(api, shop, "PUT", f"/v1/topics/{quote(topic, safe='')}/subscribers", body)
    assert status == 200
    assert alice.get("/v1/subscriptions").json() == {"topics": [topic]}


@pytest.mark.parametrize("raw", ["a/b", "..", "../../v1/inbox", "a//b", "./a", "/", "a/"])
def test_a_slash_that_is_not_encoded_belongs_to_the_name_as_well(api: Api, alice: Caller, raw: str) -> None:
    assert send(api, alice, "PUT", f"/v1/subscriptions/{raw}") == (204, b"")
    assert alice.get("/v1/subscriptions").json() == {"topics": [raw]}


@pytest.mark.parametrize("raw", ["%FF", "a%C3", "%ED%A0%80"])
def test_a_path_that_is_not_utf8_names_nobody(api: Api, alice: Caller, raw: str) -> None:
    status, content = send(api, alice, "PUT", f"/v1/subscriptions/{raw}")
    assert status == 400
    assert b'"malformed_request"' in content
    assert alice.get("/v1/subscriptions").json() == {"topics": []}


@pytest.mark.parametrize(
    ("raw", "code"), [("%00", "control_character"), ("%0A", "control_character"), ("x" * 256, "too_long")]
)
def test_a_name_against_the_rules_is_refused_in_a_path_as_in_a_body(
    api: Api, alice: Caller, raw: str, code: str
) -> None:
    for path, field in ((f"/v1/subscriptions/{raw}", "topic"), (f"/v1/follows/{raw}", "target")):
        status, content = send(api, alice, "DELETE", path)
        assert status == 422
        assert f'"field": "{field}", "code": "{code}"'.encode() in content

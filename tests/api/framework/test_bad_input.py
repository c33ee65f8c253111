"""A bad body is answered with a problem that names the field, and nothing is stored."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.running import Api, Caller, fields, problem

FOLLOWS, MESSAGES, NOTIFICATIONS = "/v1/follows", "/v1/messages", "/v1/notifications"
SUBSCRIBERS, ITEM, READ = "/v1/topics/t/subscribers", "/v1/inbox/1", "/v1/inbox/read"
GOOD: dict[str, dict[str, Any]] = {
    FOLLOWS: {"target": "bob"},
    MESSAGES: {"to": "bob", "text": "hello"},
    NOTIFICATIONS: {"recipients": ["bob", "carol"], "kind": "order", "title": "Order 41"},
    SUBSCRIBERS: {"add": ["bob"]},
    ITEM: {"read": True},
    READ: {"through": 1},
}
METHODS = {SUBSCRIBERS: "PUT", ITEM: "PATCH"}

# Per endpoint: a change of its good body, and the errors it has to bring.
BROKEN_FIELDS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    (FOLLOWS, {"target": ""}, [("target", "too_short")]),
    (FOLLOWS, {"target": "x" * 300}, [("target", "too_long")]),
    (FOLLOWS, {"target": None}, [("target", "wrong_type")]),
    (FOLLOWS, {"target": 7}, [("target", "wrong_type")]),
    (FOLLOWS, {"target": ["bob"]}, [("target", "wrong_type")]),
    (FOLLOWS, {"target": "b\nob"}, [("target", "control_character")]),
    (FOLLOWS, {"target": "b\x85"}, [("target", "control_character")]),
    (MESSAGES, {"to": "x" * 256}, [("to", "too_long")]),
    (MESSAGES, {"text": ""}, [("text", "too_short")]),
    (MESSAGES, {"text": "x" * 65_537}, [("text", "too_long")]),
    (MESSAGES, {"text": "a\x00b"}, [("text", "control_character")]),
    (MESSAGES, {"text": "a\x1b[31m"}, [("text", "control_character")]),
    (MESSAGES, {"text": "a\rb"}, [("text", "control_character")]),
    (MESSAGES, {"text": {"a": 1}, "to": ""}, [("to", "too_short"), ("text", "wrong_type")]),
    (NOTIFICATIONS, {"recipients": []}, [("recipients", "too_short")]),
    (NOTIFICATIONS, {"recipients": "bob"}, [("recipients", "wrong_type")]),
    (NOTIFICATIONS, {"recipients": {"0": "bob"}}, [("recipients", "wrong_type")]),
    (NOTIFICATIONS, {"recipients": ["bob", ""]}, [("recipients.1", "too_short")]),
    (NOTIFICATIONS, {"recipients": ["bob", "x" * 300]}, [("recipients.1", "too_long")]),
    (NOTIFICATIONS, {"recipients": ["bob", 7]}, [("recipients.1", "wrong_type")]),
    (NOTIFICATIONS, {"recipients": ["bob", "eve\x7f"]}, [("recipients.1", "control_character")]),
    (NOTIFICATIONS, {"recipients": ["a", "b", "c", "b", "a"]}, [("recipients.3", "duplicate")]),
    (NOTIFICATIONS, {"recipients": [str(n) for n in range(1001)]}, [("recipients", "too_long")]),
    (NOTIFICATIONS, {"recipients": None}, [("recipients", "exactly_one")]),
    (NOTIFICATIONS, {"topic": "news"}, [("topic", "exactly_one")]),
    (NOTIFICATIONS, {"everyone": True}, [("everyone", "exactly_one")]),
    (NOTIFICATIONS, {"recipients": None, "topic": "news", "everyone": True}, [("everyone", "exactly_one")]),
    (NOTIFICATIONS, {"recipients": None, "everyone": False}, [("everyone", "not_allowed")]),
    (NOTIFICATIONS, {"recipients": None, "everyone": 1}, [("everyone", "wrong_type")]),
    (NOTIFICATIONS, {"recipients": None, "everyone": "true"}, [("everyone", "wrong_type")]),
    (NOTIFICATIONS, {"recipients": None, "topic": ""}, [("topic", "too_short")]),
    (NOTIFICATIONS, {"recipients": None, "topic": "x" * 256}, [("topic", "too_long")]),
    (NOTIFICATIONS, {"kind": ""}, [("kind", "too_short")]),
    (NOTIFICATIONS, {"kind": "x" * 101}, [("kind", "too_long")]),
    (NOTIFICATIONS, {"kind": "a\tb"}, [("kind", "control_character")]),
    (NOTIFICATIONS, {"title": ""}, [("title", "too_short")]),
    (NOTIFICATIONS, {"title": "x" * 10_241}, [("title", "too_long")]),
    (NOTIFICATIONS, {"title": "a\x07"}, [("title", "control_character")]),
    (NOTIFICATIONS, {"body": "x" * 65_537}, [("body", "too_long")]),
    (NOTIFICATIONS, {"body": 1.5}, [("body", "wrong_type")]),
    (NOTIFICATIONS, {"url": "javascript:alert(1)"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": " javascript:alert(1)"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "java\nscript:alert(1)"}, [("url", "control_character")]),
    (NOTIFICATIONS, {"url": "data:text/html,x"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "//evil.example.com"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "/\\evil.example.com"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "orders/41"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "http://"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "http://[::1"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "https://a.example:port/"}, [("url", "invalid_url")]),
    (NOTIFICATIONS, {"url": "/" + "x" * 2_048}, [("url", "too_long")]),
    (NOTIFICATIONS, {"data": []}, [("data", "wrong_type")]),
    (NOTIFICATIONS, {"data": "x"}, [("data", "wrong_type")]),
    (NOTIFICATIONS, {"data": {"x": "y" * 65_536}}, [("data", "too_long")]),
    (NOTIFICATIONS, {"data": {"a": ["b", "c\x00"]}}, [("data.a.1", "control_character")]),
    (NOTIFICATIONS, {"data": {"a": {"b\x00": 1}}}, [("data.a.b\x00", "control_character")]),
    (NOTIFICATIONS, {"actor": ""}, [("actor", "too_short")]),
    (NOTIFICATIONS, {"severity": "urgent"}, [("severity", "not_allowed")]),
    (NOTIFICATIONS, {"severity": None}, [("severity", "not_allowed")]),
    (NOTIFICATIONS, {"expires_at": "2030-01-01T00:00:00"}, [("expires_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"expires_at": "2030-02-30T00:00:00Z"}, [("expires_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"expires_at": "2030-01-01"}, [("expires_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"expires_at": 1893456000}, [("expires_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"deliver_at": "tomorrow"}, [("deliver_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"deliver_at": "9999-12-31T23:59:59-01:00"}, [("deliver_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"deliver_at": "0000-01-01T00:00:00Z"}, [("deliver_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"deliver_at": "0001-01-01T00:00:00+00:01"}, [("deliver_at", "invalid_timestamp")]),
    (NOTIFICATIONS, {"deliver_at": "2030-01-01T00:00:00+24:00"}, [("deliver_at", "invalid_timestamp")]),
    (SUBSCRIBERS, {"add": ["bob", "bob"]}, [("add.1", "duplicate")]),
    (SUBSCRIBERS, {"add": [""]}, [("add.0", "too_short")]),
    (SUBSCRIBERS, {"add": "bob"}, [("add", "wrong_type")]),
    (ITEM, {"read": "yes"}, [("read", "wrong_type")]),
    (ITEM, {"read": 1}, [("read", "wrong_type")]),
    (ITEM, {"seen": False}, [("seen", "not_allowed")]),
    (ITEM, {"read": None}, [("read", "missing")]),
    (ITEM, {"read": False, "archived": True}, [("read", "contradiction")]),
    (READ, {"through": True}, [("through", "wrong_type")]),
    (READ, {"through": 1.0}, [("through", "wrong_type")]),
    (READ, {"through": "1"}, [("through", "wrong_type")]),
    (READ, {"through": -1}, [("through", "out_of_range")]),
    (READ, {"through": 2**63}, [("through", "out_of_range")]),
    (READ, {"through": 10**40}, [("through", "out_of_range")]),
    (READ, {"through": None}, [("seqs", "exactly_one")]),
    (READ, {"seqs": [1]}, [("through", "exactly_one")]),
    (READ, {"through": None, "seqs": []}, [("seqs", "too_short")]),
    (READ, {"through": None, "seqs": [1, 0]}, [("seqs.1", "out_of_range")]),
    (READ, {"through": None, "seqs": [True]}, [("seqs.0", "wrong_type")]),
    (READ, {"through": None, "seqs": list(range(1, 1002))}, [("seqs", "too_long")]),
    (READ, {"kind": ""}, [("kind", "too_short")]),
]


@pytest.fixture
def anyone(api: Api) -> Caller:
    return api.caller("anyone", "inbox", "notify")


@pytest.fixture(autouse=True)
def nothing_is_stored(api: Api) -> Iterator[None]:
    before = api.stored()
    yield
    assert api.stored() == before


def send(caller: Caller, path: str, content: bytes, content_type: str | None = "application/json") -> httpx.Response:
    headers = {"Content-Type": content_type} if content_type else {}
    return caller.request(METHODS.get(path, "POST"), path, headers, content=content)


@pytest.mark.parametrize(("path", "change", "errors"), BROKEN_FIELDS, ids=lambda value: str(value)[:60])
def test_a_field_against_the_rules_is_named(
    anyone: Caller, path: str, change: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    answer = send(anyone, path, json.dumps(GOOD[path] | change).encode())
    assert fields(problem(answer, 422, "invalid_request")) == errors


@pytest.mark.parametrize("path", GOOD)
def test_an_unknown_field_is_named(anyone: Caller, path: str) -> None:
    answer = send(anyone, path, json.dumps(GOOD[path] | {"extra": 1}).encode())
    assert fields(problem(answer, 422, "invalid_request")) == [("extra", "unknown_field")]


@pytest.mark.parametrize(("path", "field"), [(path, field) for path in (FOLLOWS, MESSAGES) for field in GOOD[path]])
def test_a_missing_field_is_named(anyone: Caller, path: str, field: str) -> None:
    body = {name: value for name, value in GOOD[path].items() if name != field}
    assert fields(problem(send(anyone, path, json.dumps(body).encode()), 422, "invalid_request")) == [
        (field, "missing")
    ]


def test_every_missing_field_of_a_notification_is_named(anyone: Caller) -> None:
    answer = send(anyone, NOTIFICATIONS, b'{"everyone": true}')
    assert fields(problem(answer, 422, "invalid_request")) == [("kind", "missing"), ("title", "missing")]


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
@pytest.mark.parametrize("path", [FOLLOWS, MESSAGES, NOTIFICATIONS])
def test_an_idempotency_key_against_the_rules_is_named(anyone: Caller, path: str, key: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in {**anyone.headers, "Idempotency-Key": key}.items()]
    answer = anyone.http.post(path, headers=headers, json=GOOD[path])
    assert [field for field, _ in fields(problem(answer, 422, "invalid_request"))] == ["Idempotency-Key"]


def test_a_body_of_many_mistakes_is_answered_briefly(anyone: Caller) -> None:
    body = {f"{'x' * 1000}{n}": 1 for n in range(200)}
    answer = send(anyone, FOLLOWS, json.dumps(body).encode())
    assert len(problem(answer, 422, "invalid_request")["errors"]) == 20
    assert len(answer.content) < 5_000


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/follow", "/v1/follows/", "/v1/inbox/", "/v2/inbox", "/V1/inbox", "/x", "/v1//inbox"]
)
def test_an_unknown_route_is_not_found(anyone: Caller, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        problem(anyone.request(method, path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", FOLLOWS, "OPTIONS, POST"),
        ("POST", "/v1/follows/bob", "DELETE, OPTIONS"),
        ("PUT", MESSAGES, "OPTIONS, POST"),
        ("DELETE", "/v1/inbox", "GET, HEAD, OPTIONS"),
        ("PUT", ITEM, "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("BREW", "/v1/inbox", "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_an_unknown_method_is_told_the_known_ones(anyone: Caller, method: str, path: str, allowed: str) -> None:
    answer = anyone.request(method, path)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == allowed

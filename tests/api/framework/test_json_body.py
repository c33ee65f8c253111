"""The form of a body: malformed JSON, other media types, bodies that are too large or broken; nothing is stored."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.api.framework.test_bad_input import FOLLOWS, GOOD, MESSAGES, NOTIFICATIONS, READ, SUBSCRIBERS, send
from tests.api.running import Api, Caller, fields, problem

LONE = "\\ud83e"  # half of a surrogate pair, as an escape

# Refused by every endpoint.
MALFORMED: list[bytes] = [
    b"",
    b"   ",
    b"{",
    b'{"a": 1,}',
    b"{'a': 1}",
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": -Infinity}',
    b'{"a": 1e999}',
    b'{"a": 1, "a": 1}',
    b'{"data": {"a": 1, "a": 2}}',
    b'{"a": "\xff"}',
    b'{"a": "\xed\xa0\x80"}',
    b'\xef\xbb\xbf{"a": 1}',
    b'{"a": "\n"}',
    b'{"a": 1} {"b": 2}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"data": ' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    json.dumps({"target": "bob"}).encode("utf-16"),
]
NOT_OBJECTS: list[bytes] = [b"[]", b"null", b"1", b'"x"', b"true", b'[{"target": "bob"}]']


@pytest.fixture
def anyone(api: Api) -> Caller:
    return api.caller("anyone", "inbox", "notify")


@pytest.fixture(autouse=True)
def nothing_is_stored(api: Api) -> Iterator[None]:
    before = api.stored()
    yield
    assert api.stored() == before


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("raw", MALFORMED, ids=lambda raw: repr(raw[:30]))
def test_what_is_no_json_is_refused(anyone: Caller, path: str, raw: bytes) -> None:
    problem(send(anyone, path, raw), 400, "malformed_json")


@pytest.mark.parametrize("path", GOOD)
@pytest.mark.parametrize("raw", NOT_OBJECTS)
def test_what_is_no_object_is_refused(anyone: Caller, path: str, raw: bytes) -> None:
    assert fields(problem(send(anyone, path, raw), 422, "invalid_request")) == [("", "wrong_type")]


@pytest.mark.parametrize(
    ("path", "raw", "field"),
    [
        (FOLLOWS, f'{{"target": "{LONE}"}}', "target"),
        (MESSAGES, f'{{"to": "bob", "text": "a{LONE}b"}}', "text"),
        (MESSAGES, f'{{"to": "bob", "text": "\\udd89{LONE}"}}', "text"),
        (NOTIFICATIONS, f'{{"recipients": ["a", "{LONE}"], "kind": "k", "title": "t"}}', "recipients.1"),
        (
            NOTIFICATIONS,
            f'{{"everyone": true, "kind": "k", "title": "t", "data": {{"a": [{{"b": "{LONE}"}}]}}}}',
            "data.a.0.b",
        ),
        (NOTIFICATIONS, f'{{"everyone": true, "kind": "k", "title": "t", "data": {{"{LONE}": 1}}}}', "data.?"),
        (SUBSCRIBERS, f'{{"add": ["{LONE}"]}}', "add.0"),
        (READ, f'{{"through": 1, "kind": "{LONE}"}}', "kind"),
        (READ, f'{{"through": 1, "{LONE}": 1}}', "?"),
    ],
)
def test_half_of_a_surrogate_pair_is_refused_wherever_it_is(anyone: Caller, path: str, raw: str, field: str) -> None:
    assert fields(problem(send(anyone, path, raw.encode()), 422, "invalid_request")) == [(field, "lone_surrogate")]


@pytest.mark.parametrize("path", GOOD)
def test_a_body_over_the_limit_is_refused(anyone: Caller, path: str) -> None:
    problem(send(anyone, path, b'{"a": "' + b"x" * 262_144 + b'"}'), 413, "body_too_large")


def test_a_body_at_the_limit_is_read(anyone: Caller) -> None:
    filled = b'{"target": ""' + b" " * (262_144 - 14) + b"}"
    assert len(filled) == 262_144
    assert fields(problem(send(anyone, FOLLOWS, filled), 422, "invalid_request")) == [("target", "too_short")]
    problem(send(anyone, FOLLOWS, filled + b" "), 413, "body_too_large")


def test_a_chunked_body_is_limited_as_well(anyone: Caller) -> None:
    chunks = (b" " * 65_536 for _ in range(40))
    problem(
        anyone.request("POST", FOLLOWS, {"Content-Type": "application/json"}, content=chunks), 413, "body_too_large"
    )
    short = iter([b'{"target"', b': ""}'])
    answer = anyone.request("POST", FOLLOWS, {"Content-Type": "application/json"}, content=short)
    assert fields(problem(answer, 422, "invalid_request")) == [("target", "too_short")]


@pytest.mark.parametrize("raw", [b"zz\r\n", b"5\r\nabc", b"5\r\nabcdefgh\r\n0\r\n\r\n"])
def test_a_body_that_is_no_chunked_body_is_refused(api: Api, anyone: Caller, raw: bytes) -> None:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("POST", FOLLOWS)
    for name, value in {**anyone.headers, "Transfer-Encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders(raw)
    connection.sock.shutdown(1)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (400, "malformed_request")
    connection.close()


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "json",
        "application/jsonp",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
@pytest.mark.parametrize("path", GOOD)
def test_a_body_that_says_it_is_no_json_is_refused(anyone: Caller, path: str, content_type: str) -> None:
    problem(send(anyone, path, json.dumps(GOOD[path]).encode(), content_type), 415, "unsupported_media_type")


def test_a_compressed_body_is_refused(anyone: Caller) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    problem(anyone.request("POST", FOLLOWS, headers, content=b"\x1f\x8b"), 415, "unsupported_media_type")

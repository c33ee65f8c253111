"""Attacks on the API, one test each.

Tested elsewhere: tokens (test_security_tokens.py), other inboxes (v1/test_items.py), cursors and pages
(v1/test_paging.py), links (schemas/test_url_schemes.py), bodies, batches and recipients beyond their limits
(framework/test_bad_input.py, framework/test_json_body.py, v1/test_batch.py), rates (framework/test_rate_limits.py),
revocation (v1/test_revocations.py), overload (framework/test_overload.py), hostile names in paths
(framework/test_paths.py), hostile tasks (tests/workers), the sockets (tests/push), the logs of all processes
(tests/pipeline), text that stays text in a page (tests/browser), `*` among the origins (tests/test_settings.py).
"""

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from api.app import ENDPOINTS
from api.framework.endpoint import Endpoint
from auth.scopes import INBOX, NOTIFY
from dev.processes import command_line
from tests.api.running import SECRET, Api, Caller, answered, fields, problem

PATH = {"seq": "1", "topic": "t", "target": "bob", "notification_id": "019ac5a7-8c00-7000-8000-0000000000a1"}
HOSTILE_IDS = [
    "1,2",
    "../",
    "..",
    "__proto__",
    "user:x",
    "*",
    "%",
    "' OR 1=1 --",
    "null",
    "\U0001f989" * 255,
    "é" * 255,
]
PAGES = ["/", "/docs", "/docs.css", "/docs.js", "/openapi.json", "/config.json", "/static/nothing.js"]
OTHERS = ["/healthz", "/metrics", "/nowhere", "/v1/inbox", "/v1/nowhere"]


def call(caller: Caller, one: Endpoint) -> Any:
    path = one.path
    for name, value in PATH.items():
        path = path.replace(f"{{{name}}}", value)
    return caller.request(one.method, path)


# --- Nobody does or sees what is not theirs --------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["read", "seen", "archive"])
def test_a_bulk_change_with_foreign_seqs_changes_nothing_of_others(
    api: Api, alice: Caller, bob: Caller, mark: str
) -> None:
    for _ in range(3):
        api.deliver(bob.post("/v1/messages", {"to": alice.id, "text": "x"}))
    api.deliver(alice.post("/v1/messages", {"to": bob.id, "text": "x"}))
    before = alice.inbox()
    assert answered(bob.post(f"/v1/inbox/{mark}", {"seqs": [1, 2, 3, 99]}), 200)["changed"] == 1
    bob.post(f"/v1/inbox/{mark}", {"through": 1})
    assert alice.inbox() == before


@pytest.mark.parametrize(
    "field",
    ["sub", "seq", "version", "recipient_id", "producer_id", "id", "created_at", "seen_at", "read_at", "archived_at"],
)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/follows", {"target": "bob"}),
        ("POST", "/v1/messages", {"to": "bob", "text": "x"}),
        ("POST", "/v1/notifications", {"recipients": ["bob"], "kind": "k", "title": "t"}),
        ("PATCH", "/v1/inbox/1", {"read": True}),
        ("POST", "/v1/inbox/read", {"through": 1}),
        ("POST", "/v1/tokens/revoke", {"user": "mallory"}),
    ],
)
def test_a_body_cannot_say_who_calls_nor_what_number_nor_when(
    api: Api, field: str, method: str, path: str, body: dict[str, Any]
) -> None:
    anyone = api.caller("anyone", INBOX, NOTIFY)
    before = api.stored()
    answer = anyone.request(method, path, json={**body, field: 1})
    assert fields(problem(answer, 422, "invalid_request")) == [(field, "unknown_field")]
    assert api.stored() == before


@pytest.mark.parametrize("one", [one for one in ENDPOINTS if one.scope], ids=lambda one: f"{one.method} {one.path}")
def test_without_the_scope_nothing_is_done(api: Api, one: Endpoint) -> None:
    before = api.stored()
    other = NOTIFY if one.scope == INBOX else INBOX
    for scopes in ((other,), ("nothing",), (f"{one.scope}s",)):
        problem(call(api.caller("anyone", *scopes), one), 403, "forbidden")
    assert api.stored() == before


@pytest.mark.parametrize("user", HOSTILE_IDS)
def test_a_hostile_user_id_reaches_only_itself(api: Api, user: str) -> None:
    bystanders = [
        api.named(each) for each in ("1", "2", "x", "proto", "%25", user + "x"[: 255 - len(user)]) if each != user
    ]
    for one in bystanders:
        answered(one.get("/v1/inbox/summary"), 200)
    before = [one.summary() for one in bystanders]
    hostile, shop = api.named(user), api.caller("shop", NOTIFY)
    version = hostile.summary()["version"]
    api.deliver(shop.post("/v1/notifications", {"recipients": [user], "kind": "k", "title": "for it alone"}))
    arrived = hostile.changes(version)["changes"]
    assert [change["item"]["title"] for change in arrived] == ["for it alone"]
    answered(hostile.post("/v1/inbox/read", {"through": version + 1}), 200)
    answered(shop.put("/v1/topics/boots/subscribers", {"add": [user]}), 200)
    assert [one.summary() for one in bystanders] == before
    assert all(one.get("/v1/subscriptions").json() == {"topics": []} for one in bystanders)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/inbox?limit=101", "limit"),
        ("/v1/inbox?limit=0", "limit"),
        ("/v1/inbox?limit=99999999999999999999", "limit"),
        ("/v1/inbox/changes?since=0&limit=501", "limit"),
        ("/v1/inbox/changes?since=99999999999999999999", "since"),
        ("/v1/notifications?limit=101", "limit"),
    ],
)
def test_what_may_be_asked_for_at_once_is_capped(api: Api, path: str, field: str) -> None:
    answer = api.caller("anyone", INBOX, NOTIFY).request("GET", path)
    assert [name for name, _ in fields(problem(answer, 422, "invalid_request"))] == [field]


@pytest.mark.parametrize("path", ["/v1/inbox", "/v1/notifications"])
def test_a_cursor_of_any_length_is_refused_and_not_repeated(api: Api, path: str) -> None:
    answer = api.caller("anyone", INBOX, NOTIFY).get(path, cursor="A" * 3_000)
    assert "AAAA" not in json.dumps(problem(answer, 400, "invalid_cursor"))


# --- Pages of other origins ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "*", "https://app.example.com.evil.example", "http://app.example.com", "x", ""],
)
def test_a_page_of_a_foreign_origin_is_refused_whatever_it_says_of_its_host(
    api: Api, alice: Caller, origin: str
) -> None:
    before = api.stored()
    host = urlsplit(origin).netloc or "evil.example"
    for spoofed in ({}, {"X-Forwarded-Host": host}, {"Forwarded": f"host={host}"}, {"X-Forwarded-Host": origin}):
        headers = {"Origin": origin, **spoofed}
        for answer in (
            alice.request("GET", "/v1/inbox", headers),
            alice.request("POST", "/v1/messages", headers, json={"to": "bob", "text": "x"}),
        ):
            problem(answer, 403, "origin_not_allowed")
            assert "Access-Control-Allow-Origin" not in answer.headers
        preflight = {**headers, "Access-Control-Request-Method": "POST"}
        assert "Access-Control-Allow-Origin" not in api.http.options("/v1/messages", headers=preflight).headers
    assert api.stored() == before


def test_a_page_of_a_listed_origin_and_the_servers_own_may_call(api: Api, alice: Caller) -> None:
    for origin in ("https://app.example.com", api.url):
        answered(alice.request("GET", "/v1/inbox/summary", {"Origin": origin}), 200)


# --- What is answered ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES + OTHERS)
def test_whatever_is_answered_runs_nothing_from_elsewhere_and_is_framed_by_nobody(api: Api, path: str) -> None:
    answer = api.http.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert len(answer.headers.get_list("Content-Security-Policy")) == 1


# --- Requests and logs -----------------------------------------------------------------------------------------------


def test_what_is_no_http_is_refused_like_any_bad_request(api: Api) -> None:
    answer = api.raw(b"GET / HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"application/problem+json" in head
    assert json.loads(body)["code"] == "malformed_request"


def test_no_secret_stands_in_the_process_list(api: Api) -> None:
    for pid in api.process.process_tree():
        assert SECRET not in command_line(pid)


def test_the_log_says_nothing_of_what_people_tell_each_other(api: Api, alice: Caller, shop: Caller) -> None:
    secret = "zebra-secret-text"
    api.deliver(alice.post("/v1/messages", {"to": f"{secret}-recipient", "text": secret}))
    shop.post("/v1/notifications", {"recipients": ["bob"], "kind": secret, "title": secret, "data": {secret: secret}})
    shop.post("/v1/notifications", {"recipients": ["bob"], "kind": secret, "title": secret, "url": secret, secret: 1})
    alice.get("/v1/inbox", kind=secret)
    alice.delete(f"/v1/follows/{secret}")
    assert secret not in api.process.output()


def test_a_request_smuggled_behind_another_is_not_read(api: Api, alice: Caller) -> None:
    """With two lengths, a proxy may use the other one."""
    inner = b"DELETE /v1/inbox/1 HTTP/1.1\r\nHost: x\r\n\r\n"
    head = f"POST /v1/messages HTTP/1.1\r\nHost: x\r\nAuthorization: {alice.headers['Authorization']}\r\n"
    lengths = f"Content-Length: {len(inner)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    answer = api.raw((head + lengths).encode() + inner)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_header_without_end_is_refused(api: Api) -> None:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=20)
    connection.request("GET", "/v1/inbox", headers={"Authorization": "Bearer " + "x" * 60_000})
    assert connection.getresponse().status == 400
    connection.close()

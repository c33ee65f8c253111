"""Attacks on the API, one test each.

Held elsewhere: another's item or none (test_inbox.py), cursors and pages (test_paging.py), bodies, batches and
recipients beyond their limits (test_bad_input.py, test_batch.py), rates (test_rate_limits.py), revocation
(test_revocations.py), more than can be served (test_overload.py), hostile names in paths (test_paths.py), hostile
tasks (tests/workers), the sockets (tests/push), the logs of all processes (tests/pipeline), text that stays text in a
page (tests/browser), `*` among the origins (tests/test_settings.py).
"""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from api.app import ENDPOINTS
from api.framework.endpoint import Endpoint
from auth.scopes import INBOX, NOTIFY
from dev.processes import command_line
from tests.api.running import SECRET, Api, Caller, answered, fields, problem, running_api

NOW = int(time.time())
AUDIENCE, ISSUER = "belfry", "https://id.example"
CLAIMS: dict[str, Any] = {"sub": "alice", "scope": "inbox notify", "exp": NOW + 3600, "iat": NOW - 10}
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


def b64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def sealed(header: dict[str, Any], claims: dict[str, Any], key: bytes) -> str:
    """An HMAC token with any header; PyJWT would refuse to make it."""
    signed = ".".join(b64(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{b64(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"


def call(caller: Caller, one: Endpoint) -> Any:
    path = one.path
    for name, value in PATH.items():
        path = path.replace(f"{{{name}}}", value)
    return caller.request(one.method, path)


def raw(api: Api, request: bytes) -> bytes:
    """The response to these bytes, until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), timeout=20) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


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


# --- Links -----------------------------------------------------------------------------------------------------------


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


# --- Tokens ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def identity_provider() -> tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]:
    return rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def strict(
    identity_provider: tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """An API that trusts an identity provider's keys, for one audience and issuer, and logs all it can."""
    folder = tmp_path_factory.mktemp("strict")
    keys = folder / "keys.json"
    published = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(identity_provider[0].public_key()))
    keys.write_text(json.dumps({"keys": [{**published, "kid": "one", "use": "sig", "alg": "RS256"}]}))
    with running_api(
        f"sqlite:///{folder}/belfry.sqlite",
        folder,
        JWT_SECRET="",
        JWT_JWKS_URL=keys.as_uri(),
        JWT_AUDIENCE=AUDIENCE,
        JWT_ISSUER=ISSUER,
        LOG_LEVEL="DEBUG",
    ) as running:
        yield running


def provided(key: Any, algorithm: str = "RS256", kid: str | None = "one", **changes: Any) -> str:
    claims = {**CLAIMS, "aud": AUDIENCE, "iss": ISSUER, **changes}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({k: v for k, v in claims.items() if v is not None}, key, algorithm=algorithm, headers=headers)


def faulty_for_a_provider(rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    claims = {**CLAIMS, "aud": AUDIENCE, "iss": ISSUER}
    public = rsa_key.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    hs256 = {"typ": "JWT", "alg": "HS256", "kid": "one"}
    good = provided(rsa_key)
    head, payload, signature = good.split(".")
    unsigned = b64(json.dumps({"alg": "none", "kid": "one"}).encode())
    critical = jwt.encode(claims, rsa_key, algorithm="RS256", headers={"kid": "one", "crit": ["x"], "x": 1})
    return {
        "alg none": f"{unsigned}.{payload}.",
        "alg none with a signature": f"{unsigned}.{payload}.{signature}",
        "no signature": f"{head}.{payload}.",
        "the public key as a secret": sealed(hs256, claims, pem),
        "the public key's bytes as a secret": sealed(hs256, claims, der),
        "an empty secret": sealed(hs256, claims, b""),
        "another's key under its id": provided(rsa.generate_private_key(65537, 2048)),
        "another algorithm's key": provided(ec_key, "ES256"),
        "an id that is a path": provided(rsa_key, kid="../../dev/null"),
        "an unknown key": provided(rsa_key, kid="two"),
        "no key named": provided(rsa_key, kid=None),
        "another audience": provided(rsa_key, aud="another"),
        "no audience": provided(rsa_key, aud=None),
        "another issuer": provided(rsa_key, iss="https://evil.example"),
        "no issuer": provided(rsa_key, iss=None),
        "no expiry": provided(rsa_key, exp=None),
        "expired": provided(rsa_key, exp=NOW - 60),
        "not yet valid": provided(rsa_key, nbf=NOW + 3600),
        "issued in the future": provided(rsa_key, iat=NOW + 3600),
        "an unknown critical header": critical,
        "no subject": provided(rsa_key, sub=None),
        "no scope": provided(rsa_key, scope=None),
    }


def test_whatever_is_wrong_with_a_token_of_a_provider_the_answer_is_one(
    strict: Api, identity_provider: tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]
) -> None:
    good = {"Authorization": f"Bearer {provided(identity_provider[0])}"}
    answered(strict.http.get("/v1/inbox/summary", headers=good), 200)
    expect_one_answer(strict, faulty_for_a_provider(*identity_provider))


def test_whatever_is_wrong_with_a_token_of_a_shared_secret_the_answer_is_one(api: Api) -> None:
    hs256, secret = {"typ": "JWT", "alg": "HS256"}, SECRET.encode()
    answered(
        api.http.get("/v1/inbox/summary", headers={"Authorization": f"Bearer {sealed(hs256, CLAIMS, secret)}"}), 200
    )
    faulty = {
        "not yet valid": sealed(hs256, CLAIMS | {"nbf": NOW + 3600}, secret),
        "no expiry": sealed(hs256, {"sub": "alice", "scope": "inbox"}, secret),
        "expired": sealed(hs256, CLAIMS | {"exp": NOW - 60}, secret),
        "an unknown critical header": sealed(hs256 | {"crit": ["x"], "x": 1}, CLAIMS, secret),
        "another hash": jwt.encode(CLAIMS, SECRET * 2, algorithm="HS512"),
        "a key of its own": jwt.encode(CLAIMS, rsa.generate_private_key(65537, 2048), algorithm="RS256"),
        "another letter for its algorithm": sealed(hs256 | {"alg": "hs256"}, CLAIMS, secret),
        "a secret of nothing": sealed(hs256, CLAIMS, b""),
    }
    expect_one_answer(api, faulty)


def expect_one_answer(api: Api, faulty: dict[str, str]) -> None:
    """All of these are answered with the same bytes and headers as a request without a token."""
    nothing = api.http.get("/v1/inbox/summary")
    expected = (nothing.text, {name: value for name, value in nothing.headers.items() if name != "date"})
    for case, token in faulty.items():
        answer = api.http.get("/v1/inbox/summary", headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "unauthorized")
        found = {name: value for name, value in answer.headers.items() if name != "date"}
        assert (answer.text, found) == expected, case
        assert token.split(".")[1] not in api.process.output(), case


def test_a_token_is_never_repeated_neither_by_an_answer_nor_in_the_log_nor_by_the_process_list(
    strict: Api, identity_provider: tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]
) -> None:
    token = provided(identity_provider[0])
    head, payload, signature = token.split(".")
    good = {"Authorization": f"Bearer {token}"}
    responses = [
        strict.http.get(f"/v1/inbox?token={token}", headers=good).content,
        strict.http.get(f"/v1/inbox/summary?token={token}").content,
        strict.http.get(f"/v1/{token}", headers=good).content,
        strict.http.get("/v1/inbox", params={"cursor": token}, headers=good).content,
        strict.http.get("/v1/inbox", headers={"Authorization": f"Bearer {token}x"}).content,
        strict.http.post("/v1/messages", json={"to": token[:255], "text": 7}, headers=good).content,
        strict.http.get("/docs", headers=good).content,
    ]
    head_of = f"GET /v1/inbox?token={token} HTTP/1.1\r\nHost: x\r\n"
    responses += [
        raw(strict, f"{head_of}Authorization Bearer {token}\r\n\r\n".encode()),
        raw(strict, f"{head_of}{token}: x\r\nBad Name: {token}\r\n\r\n".encode()),
        raw(strict, f"{head_of}Transfer-Encoding: {token}\r\n\r\n".encode()),
        raw(strict, f"GET /v1/inbox?token={token} HTTP/9.9\r\n\r\n".encode()),
        raw(strict, f"{token} / HTTP/1.1\r\n\r\n".encode()),
    ]
    processes = [command_line(pid).encode() for pid in strict.process.process_tree()]
    for secret in (head, payload, signature):
        assert all(secret.encode() not in one for one in (*responses, *processes))
        assert secret not in strict.process.output()
    assert any(b"malformed_request" in one for one in responses)


def test_what_is_no_http_is_refused_like_any_bad_request(api: Api) -> None:
    answer = raw(api, b"GET / HTTP/1.1\r\nHost: x\r\nno colon here\r\n\r\n")
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
    answer = raw(api, (head + lengths).encode() + inner)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_header_without_end_is_refused(api: Api) -> None:
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=20)
    connection.request("GET", "/v1/inbox", headers={"Authorization": "Bearer " + "x" * 60_000})
    assert connection.getresponse().status == 400
    connection.close()

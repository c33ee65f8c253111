"""Who may connect, and what happens to the others."""

import base64
import json
import time
from collections.abc import Callable

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from wsproto.events import AcceptConnection

from dev.processes import free_port
from tests.push.clients import RawSocket, Screen, rejected
from tests.push.support import PushProcess, added

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]


def test_connects_with_a_jwt_in_auth_over_rabbitmq_and_redis(start_push: Start, broker_url: str, screen: Turn) -> None:
    server = start_push(broker_url)
    bob = screen(server, "bob")
    server.announce(added("bob", 1))
    bob.expect_versions(1)


def test_connects_with_a_jwt_in_the_query(push: PushProcess, screen: Turn) -> None:
    bob = screen(push, "bob", query=f"?token={push.token('bob')}", auth=None)
    push.announce(added("bob", 1))
    bob.expect_versions(1)


def test_the_token_in_auth_goes_before_the_one_in_the_query(push: PushProcess, screen: Turn) -> None:
    bob = screen(push, "bob", query=f"?token={push.token('alice')}")
    push.announce(added("alice", 1), added("bob", 2))
    bob.expect_versions(2)


@pytest.mark.parametrize("transports", [["websocket"], ["polling"], ["polling", "websocket"]])
def test_every_transport_of_stock_clients_is_served(push: PushProcess, screen: Turn, transports: list[str]) -> None:
    bob = screen(push, "bob", transports=transports)
    push.announce(added("bob", 1, "☂" * 3000))
    assert bob.expect("notification")["item"]["body"] == "☂" * 3000
    assert bob.client.transport() == transports[-1]


def test_connect_is_refused_without_a_valid_token(push: PushProcess, screen: Turn) -> None:
    now = int(time.time())
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    body = push.token("bob").split(".")[1]
    for auth in (
        None,
        {},
        {"token": None},
        {"token": 7},
        {"token": ["a"]},
        {"token": ""},
        {"token": "nonsense"},
        {"token": f"{none}.{body}."},
        {"token": push.token("bob", seconds=-1)},
        {"token": push.token("bob", scopes=("notify",))},
        {"token": jwt.encode({"sub": "bob", "exp": now + 60, "scope": "inbox"}, "x" * 64)},
        "just a string",
        ["a", "list"],
    ):
        refused = screen(push, "bob", auth=auth)
        assert refused.refusal == {"message": "unauthorized", "data": {"code": "unauthorized"}}


def test_a_refused_client_hears_why_and_then_its_transport_is_closed(push: PushProcess) -> None:
    raw = RawSocket(push.port)
    answer = raw.open("nonsense")
    assert answer == {"packet": "44", "message": "unauthorized", "data": {"code": "unauthorized"}}
    assert 0.5 < raw.closes_within(5) < 4
    raw.close()


def test_a_transport_that_never_connects_to_the_namespace_is_closed_and_others_stay(push: PushProcess) -> None:
    silent, chatty, bob = (RawSocket(push.port) for _ in range(3))
    assert bob.open(push.token("bob"))["packet"] == "40"
    chatty.send("3")
    assert silent.closes_within(13) > 5
    chatty.closes_within(5)
    assert 'belfry_push_disconnects_total{reason="unconnected"}' in push.get("/metrics").text
    push.announce(added("bob", 1))
    assert (bob.read_text() or "").startswith('42["notification"')
    bob.close()


def test_while_the_keys_cannot_be_fetched_the_refusal_says_unavailable(
    start_push: Start, redis_url: str, screen: Turn
) -> None:
    server = start_push(redis_url, JWT_SECRET="", JWT_JWKS_URL=f"http://127.0.0.1:{free_port()}/keys")
    signed = jwt.encode(
        {"sub": "bob"},
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        algorithm="RS256",
        headers={"kid": "1"},
    )
    refused = screen(server, "bob", token=signed)
    assert refused.refusal["data"] == {"code": "unavailable"}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://app.example.evil.com", "http://app.example"]
)
def test_a_foreign_or_null_origin_is_refused(push: PushProcess, origin: str) -> None:
    spoofed = {"X-Forwarded-Host": origin.partition("://")[2], "X-Forwarded-Proto": origin.partition("://")[0]}
    for headers in ({"Origin": origin}, {"Origin": origin} | spoofed):
        answer = push.get("/socket.io/?EIO=4&transport=polling", headers=headers)
        assert answer.status_code == 400
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert rejected(RawSocket(push.port, headers=headers)) == 400


def test_a_listed_origin_and_none_at_all_are_served(push: PushProcess) -> None:
    answer = push.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": "https://app.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert isinstance(RawSocket(push.port, headers={"Origin": "https://app.example"}).handshake, AcceptConnection)
    assert isinstance(RawSocket(push.port).handshake, AcceptConnection)


def test_origins_are_matched_however_the_setting_spells_them(start_push: Start, redis_url: str) -> None:
    listed = "https://App.Example.com,https://shop.example:443,https://bücher.example,capacitor://localhost"
    server = start_push(redis_url, CORS_ORIGINS=listed)
    for origin in (
        "https://app.example.com",
        "https://shop.example",
        "https://xn--bcher-kva.example",
        "capacitor://localhost",
        "capacitor://LOCALHOST",
        server.url,
    ):
        answer = server.get("/socket.io/?EIO=4&transport=polling", headers={"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert isinstance(RawSocket(server.port, headers={"Origin": origin}).handshake, AcceptConnection)
    for origin in ("https://shop.example:8443", "http://app.example.com", "ionic://localhost", "null"):
        assert rejected(RawSocket(server.port, headers={"Origin": origin})) == 400


def test_tokens_are_in_no_log_line(start_push: Start, redis_url: str, screen: Turn) -> None:
    server = start_push(redis_url, LOG_LEVEL="DEBUG")
    good, bad = server.token("bob"), server.token("bob", seconds=-1)
    for transport in ("websocket", "polling"):
        screen(server, "bob", query=f"?token={good}", auth=None, transports=[transport]).ask(
            "authenticate", {"token": bad}
        )
        screen(server, "bob", query=f"?token={bad}", auth=None, transports=[transport])
    requests.request("NONSENSE", f"{server.url}/socket.io/?token={good}", timeout=5)
    with RawSocket(server.port).sock as sock:
        sock.sendall(f"GET /socket.io/?token={good} HTTP/9.9\r\n\r\n".encode())
    log = server.log()
    assert "client_connected" in log
    assert "client_refused" in log
    for token in (good, bad):
        assert token.split(".")[1] not in log
        assert token.split(".")[2] not in log


def test_the_greeting_names_what_it_accepts(push: PushProcess) -> None:
    raw = RawSocket(push.port)
    greeting = json.loads((raw.read_text() or "")[1:])
    assert greeting["maxPayload"] == 65_536
    assert greeting["upgrades"] == []
    raw.close()


def test_the_settings_of_tokens_reach_the_push_server(start_push: Start, redis_url: str) -> None:
    previous = "the secret that was used until yesterday"
    server = start_push(redis_url, JWT_SECRET_PREVIOUS=previous, JWT_LEEWAY_SECONDS="60")
    now = int(time.time())
    claims = {"sub": "bob", "scope": "inbox", "iat": now + 50, "exp": now + 600}
    for secret in (previous, server.secret):
        token = jwt.encode(claims, secret, algorithm="HS256")
        assert RawSocket(server.port).open(token)["packet"] == "40"
    other = jwt.encode(claims, "another secret of thirty-two bytes", algorithm="HS256")
    assert RawSocket(server.port).open(other)["packet"] == "44"

"""What clients emit: `authenticate` is acknowledged, everything else is answered, and nothing ends the connection."""

import json
import sys
from collections.abc import Callable
from datetime import datetime

import pytest
import requests

from push.broker.announcer import Announcer
from push.broker.wire import Announcement
from tests.conftest import StartProcess
from tests.push.clients import RawSocket, Screen
from tests.push.support import PushProcess, added, answers, push_environ

OpenScreen = Callable[..., Screen]
UNAUTHORIZED = {"ok": False, "error": {"code": "unauthorized"}}

# A push server with one more event, and with a verifier that raises an unforeseen error or is slow.
CHANGED = """
import push.__main__ as entry
import gevent
from push.namespace import InboxNamespace
from auth.tokens import TokenVerifier
verify = TokenVerifier.verify
def changed(self, token):
    if token == "boom":
        raise ZeroDivisionError("secret payload")
    if token == "slow":
        gevent.sleep(1)
    return verify(self, token)
TokenVerifier.verify = changed
InboxNamespace.on_echo = lambda self, sid, data: {"echo": data}
entry.main()
"""


@pytest.fixture
def changed(start_process: StartProcess, free_port: Callable[[], int], redis_url: str) -> PushProcess:
    port, secret = free_port(), "s" * 32
    env = push_environ(secret, redis_url, port)
    process = start_process("push", sys.executable, "-c", CHANGED, env=env, ready=lambda: answers(port, "/readyz"))
    return PushProcess(process, port, secret, redis_url)


def test_class_based_namespace_an_event_is_handled_by_the_method_of_its_name(
    changed: PushProcess, screen: OpenScreen
) -> None:
    bob = screen(changed, "bob")
    assert bob.ask("echo", {"a": 1}) == {"echo": {"a": 1}}
    assert bob.ask("echo") == {"ok": False, "error": {"code": "internal_error"}}


def test_who_is_still_being_verified_is_shown_nothing(changed: PushProcess, screen: OpenScreen) -> None:
    bob, nobody = screen(changed, "bob"), RawSocket(changed.port)
    nobody.read_text()
    nobody.send('40{"token":"slow"}')
    announcer = Announcer(changed.broker_url)
    announcer.emit("maintenance", "for all who are connected")
    bob.expect("maintenance")
    assert (nobody.read_text() or "").startswith("44")


def test_authenticate_is_acknowledged_with_the_new_expiry(push: PushProcess, screen: OpenScreen) -> None:
    bob = screen(push, "bob")
    answer = bob.ask("authenticate", {"token": push.token("bob", seconds=600)})
    assert answer["ok"] is True
    assert answer["expires_at"].endswith("Z")
    left = datetime.fromisoformat(answer["expires_at"]).timestamp() - datetime.now().timestamp()
    assert 590 < left <= 600


def test_authenticate_with_another_users_or_a_bad_token_is_refused_and_nothing_changes(
    push: PushProcess, screen: OpenScreen
) -> None:
    bob = screen(push, "bob")
    for data in ({"token": push.token("alice")}, {"token": push.token("bob", -5)}, {"token": "nonsense"}):
        assert bob.ask("authenticate", data) == UNAUTHORIZED
    assert bob.ask("authenticate", {"token": push.token("bob", scopes=("notify",))}) == UNAUTHORIZED
    push.announce(added("alice", 1), added("bob", 2))
    bob.expect_versions(2)


@pytest.mark.parametrize(
    "arguments",
    ["", ",null", ",5", ',"text"', ",[]", ",{}", ',{"token":null}', ',{"token":{"a":[1]}}', ",1,2,3,4", ",[[[[]]]]"],
)
def test_malformed_arguments_are_answered(push: PushProcess, arguments: str) -> None:
    bob = RawSocket(push.port)
    bob.open(push.token("bob"))
    bob.send(f'421["authenticate"{arguments}]')
    assert json.loads((bob.read_text() or "")[3:]) == [UNAUTHORIZED]
    bob.close()


@pytest.mark.parametrize("arguments", ["", ",{}", ",null", ',{"room":"user:alice"}', ",1,2,3", ",[[[[]]]]"])
def test_a_ping_is_acknowledged_whatever_comes_with_it(push: PushProcess, arguments: str) -> None:
    bob = RawSocket(push.port)
    bob.open(push.token("bob"))
    bob.send(f'421["ping"{arguments}]')
    assert json.loads((bob.read_text() or "")[3:]) == [{"ok": True}]
    bob.close()


def test_an_unknown_event_is_answered_and_not_logged(push: PushProcess, screen: OpenScreen) -> None:
    bob = screen(push, "bob")
    before = push.log()
    for name in ("no_such_event", "", "_answer", "x" * 5000, "on_connect", "__init__", "☂"):
        assert bob.ask(name, {"a": 1}) == {"ok": False, "error": {"code": "unknown_event"}}
        assert bob.expect("error") == {"code": "unknown_event", "event": name[:100]}
    bob.client.emit("without_acknowledgement")
    assert bob.expect("error")["event"] == "without_acknowledgement"
    assert push.log() == before


def test_an_exception_in_a_handler_reaches_the_log_and_the_client_as_an_error_and_the_connection_lives(
    changed: PushProcess, screen: OpenScreen
) -> None:
    bob = screen(changed, "bob")
    assert bob.ask("authenticate", {"token": "boom"}) == {"ok": False, "error": {"code": "internal_error"}}
    assert bob.expect("error") == {"code": "internal_error", "event": "authenticate"}
    refused = screen(changed, "bob", auth={"token": "boom"})
    assert refused.refusal["data"] == {"code": "internal_error"}
    changed.announce(Announcement("bob", {"change": "added", "version": 1}))
    bob.expect_versions(1)
    lines = [line for line in changed.log().splitlines() if "handler_failed" in line]
    assert len(lines) == 2
    assert f"event=authenticate sid={bob.client.get_sid()} error=ZeroDivisionError" in lines[0]
    assert "event=connect" in lines[1]
    assert "secret payload" not in changed.log()


GARBAGE = [
    "",
    "9",
    "x",
    "4",
    "49",
    "4x",
    "42",
    "42{",
    '42["a"',
    "42[]",
    "42{}",
    "42[[]]",
    "45",
    "451-[]",
    "40{",
    "44[]",
    '46["a"]',
]
GARBAGE += [
    "2" * 5000,
    "42" + "9" * 5000 + "[]",
    "42" + "[" * 20_000,
    "4" + "[" * 20_000,
    "45" + "9" * 100 + "-[]",
    "42[1]",
    "42[null]",
]


def test_garbage_ends_at_most_its_own_connection_and_leaves_at_most_two_log_lines(push: PushProcess) -> None:
    before = len(push.log().splitlines())
    every: list[str | bytes] = [*GARBAGE, *(text.encode() for text in GARBAGE), b"\xff" * 1000, b"\x00"]
    for number, garbage in enumerate(every):
        raw = RawSocket(push.port)
        raw.open(push.token(f"mallory {number}"))
        raw.send(garbage)
        raw.send("2")
        raw.close()
    bob = RawSocket(push.port)
    assert bob.open(push.token("bob"))["packet"] == "40"
    push.announce(added("bob", 1))
    assert (bob.read_text() or "").startswith('42["notification"')
    bob.close()
    lines = push.log().splitlines()[before:]
    assert len(lines) <= (2 + 2) * len(every) + 2  # beside those for the connection's beginning and end
    assert max(map(len, lines)) < 2000
    assert not [line for line in lines if " ERROR " in line or "Traceback" in line]


@pytest.mark.parametrize(
    "body", [b"x", b"4" * 70_000, b"\xff\xfe", b"2probe", "\x1e".join(["42[]"] * 50).encode(), b"d=", b"", b"6"]
)
def test_garbage_that_is_posted_is_answered_400_or_taken(push: PushProcess, body: bytes) -> None:

    opened = push.get("/socket.io/?EIO=4&transport=polling")
    sid = json.loads(opened.text[1:])["sid"]
    answer = requests.post(f"{push.url}/socket.io/?EIO=4&transport=polling&sid={sid}", data=body, timeout=5)
    assert answer.status_code in (200, 400)
    assert "Traceback" not in push.log()
    assert "request_failed" not in push.log()

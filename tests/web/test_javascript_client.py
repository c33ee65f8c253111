"""The official Socket.IO client in Node against the real push server; and the client library over a lossy socket."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from auth.tokens import issue
from dev.install import find_node
from dev.processes import Process
from dev.stack import ROOT, Stack
from tests.conftest import StartProcess
from tests.support import wait_for
from tests.support.needs import skip_or_fail
from tests.support.stack import token_for

SCRIPTS = Path(__file__).parent / "javascript"
FORGED = issue("another secret, longer than 32 bytes", "alice", ["inbox"], 600)


class Script:
    """A script in Node that prints one line of JSON for each event."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def said(self, event: str) -> list[Any]:
        """The payloads of this event, so far."""
        whole_lines = self._process.output().split("\n")[:-1]
        lines = [json.loads(line) for line in whole_lines if line.startswith('{"event"')]
        return [line["payload"] for line in lines if line["event"] == event]

    def expect(self, event: str) -> Any:
        """Wait for this event, which comes once, and return its payload."""
        [payload] = wait_for(lambda: self.said(event), 10, f"the script to say {event}")
        return payload

    def expect_the_end(self) -> None:
        wait_for(lambda: not self._process.running, 10, "the script to end by itself")


RunScript = Callable[..., Script]


@pytest.fixture
def run_script(start_process: StartProcess) -> RunScript:
    """Starts a script of tests/web/javascript. It ends with the test."""
    node = find_node()
    if node is None:
        skip_or_fail("there is no Node.js here; `make test` installs it")
    if not (ROOT / "web" / "node_modules" / "socket.io-client").exists():
        skip_or_fail("socket.io-client is not in web/node_modules; `make setup` installs it")
    if not (ROOT / "web" / "dist" / "belfry-client.js").exists():
        skip_or_fail("the browser's side is not built; `make setup` does it")
    return lambda name, *arguments: Script(start_process(name, node.program, SCRIPTS / f"{name}.mjs", *arguments))


class Person:
    """A user whom no other test knows, over the API."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = f"{name}-{uuid4().hex[:8]}"
        self.token = token_for(self.name)
        self.api = httpx.Client(base_url=stack.api_url, headers={"Authorization": f"Bearer {self.token}"})

    def write(self, to: str, text: str) -> None:
        self.api.post("/v1/messages", json={"to": to, "text": text}).raise_for_status()

    def inbox(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.api.get("/v1/inbox?state=all&limit=100").raise_for_status().json()
        return answer

    def read_all(self) -> None:
        through = self.api.get("/v1/inbox/summary").json()["version"]
        self.api.post("/v1/inbox/read", json={"through": through}).raise_for_status()


@pytest.fixture
def alice(stack: Stack) -> Iterator[Person]:
    alice = Person("alice", stack)
    with alice.api:
        yield alice


@pytest.fixture
def bob(stack: Stack) -> Iterator[Person]:
    bob = Person("bob", stack)
    with bob.api:
        yield bob


@pytest.mark.parametrize("where", ["auth", "query"])
def test_it_connects_with_a_token_and_gets_notifications(
    stack: Stack, run_script: RunScript, alice: Person, bob: Person, where: str
) -> None:
    listener = run_script("listen", stack.push_url, json.dumps({where: {"token": bob.token}}))
    listener.expect("connect")
    alice.write(bob.name, "Are you there? \U0001f514")
    told = listener.expect("notification")
    inbox = bob.inbox()
    assert told == {"change": "added", "item": inbox["items"][0]} | {
        name: inbox[name] for name in ("version", "epoch", "unread", "unseen")
    }


def test_it_is_told_what_another_device_read_and_nothing_of_others(
    stack: Stack, run_script: RunScript, alice: Person, bob: Person
) -> None:
    bobs, alices = (
        run_script("listen", stack.push_url, json.dumps({"auth": {"token": person.token}})) for person in (bob, alice)
    )
    for listener in (bobs, alices):
        listener.expect("connect")
    alice.write(bob.name, "hello")
    bobs.expect("notification")
    bob.read_all()
    told = bobs.expect("inbox")
    assert (told["version"], told["change"], told["through"], told["unread"]) == (2, "read", 1, 0)
    bob.write(alice.name, "goodbye")
    assert alices.expect("notification")["item"]["body"] == "goodbye"
    assert alices.said("inbox") == []


@pytest.mark.parametrize(
    "options",
    [{"auth": {"token": FORGED}}, {"auth": {"token": "no token"}}, {"query": {"token": FORGED}}, {}],
    ids=["forged", "garbage", "forged-in-query", "none"],
)
def test_it_is_refused_without_a_valid_token_by_a_stable_code(
    stack: Stack, run_script: RunScript, options: dict[str, Any]
) -> None:
    listener = run_script("listen", stack.push_url, json.dumps(options))
    assert listener.expect("connect_error")["data"]["code"] == "unauthorized"
    listener.expect_the_end()
    assert listener.said("connect") == []


def test_its_authenticate_is_acknowledged(stack: Stack, run_script: RunScript, alice: Person) -> None:
    longer = token_for(alice.name, ttl_seconds=1200)
    acknowledged = run_script("authenticate", stack.push_url, alice.token, longer).expect("acknowledged")
    assert acknowledged["ok"] is True
    assert datetime.fromisoformat(acknowledged["expires_at"]) > datetime.now(UTC) + timedelta(seconds=900)


def test_its_authenticate_with_a_bad_token_is_told_so(stack: Stack, run_script: RunScript, alice: Person) -> None:
    acknowledged = run_script("authenticate", stack.push_url, alice.token, FORGED).expect("acknowledged")
    assert acknowledged == {"ok": False, "error": {"code": "unauthorized"}}


def test_an_inbox_kept_by_the_rule_is_right_whatever_the_socket_loses_repeats_and_delays(
    stack: Stack, run_script: RunScript, alice: Person, bob: Person
) -> None:
    alice.write(bob.name, "before")
    wait_for(lambda: bob.inbox()["items"], 10, "the first message")
    script = run_script("follow", stack.api_url, stack.push_url, bob.token)
    script.expect("following")
    written = {f"message {number}" for number in range(1, 25)}
    deleted: set[str] = set()
    for number, text in enumerate(sorted(written), start=1):
        alice.write(bob.name, text)
        if number % 4 == 0:
            bob.read_all()
        if number % 6 == 0:
            wait_for(lambda: len(bob.inbox()["items"]) > 1, 10, "two items")
            newest, *_, oldest = bob.inbox()["items"]
            bob.api.patch(f"/v1/inbox/{newest['seq']}", json={"read": number % 12 == 0}).raise_for_status()
            bob.api.delete(f"/v1/inbox/{oldest['seq']}").raise_for_status()
            deleted.add(oldest["body"])
    wait_for(lambda: written <= deleted | {item["body"] for item in bob.inbox()["items"]}, 10, "all messages")
    alice.write(bob.name, "the end")
    held = script.expect("the end")
    assert held["inbox"] == as_held(bob.inbox())
    assert not held["wentBack"]
    alice.write(bob.name, "after the end")
    later = script.expect("after the end")
    assert later["inbox"] == as_held(bob.inbox())
    assert later["fetches"] == held["fetches"], "what comes next is applied without asking"


def as_held(inbox: dict[str, Any]) -> dict[str, Any]:
    """The fields that the client holds: all but the cursor."""
    return {name: inbox[name] for name in ("version", "epoch", "unread", "unseen", "items")}

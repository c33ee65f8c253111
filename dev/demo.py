"""`make demo`: play a scene on a separate system and print what each person sees. Exits 1 if it fails."""

import sys
import tempfile
from pathlib import Path

from auth.tokens import issue
from client.inbox import ApiError, Change, Inbox
from dev.embedded import EXPORTED, embedded
from dev.processes import StartFailed, free_port, wait_for
from dev.stack import Stack

STEP_TIMEOUT = 15.0  # seconds
TOKEN_SECONDS = 600


class SceneFailed(Exception):
    """A person did not see what they should have seen."""


class Person:
    """A user with one device, which prints what appears on it."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self.seen: list[str] = []
        self.inbox = Inbox(stack.api_url, stack.push_url, self._token(stack), on_change=self._see)

    def follow(self, target: str) -> None:
        self.inbox.request("POST", "/v1/follows", {"target": target})

    def send_message(self, to: str, text: str) -> None:
        self.inbox.request("POST", "/v1/messages", {"to": to, "text": text})

    def read_all(self) -> None:
        self.inbox.request("POST", "/v1/inbox/read", {"through": self.inbox.version})

    def stored_unread(self) -> int:
        """The unread count of the inbox on the server, whatever the screen shows."""
        return int(self.inbox.request("GET", "/v1/inbox/summary")["unread"])

    def _token(self, stack: Stack) -> str:
        return issue(stack.environ["JWT_SECRET"], self.name, ["inbox"], TOKEN_SECONDS)

    def _see(self, change: Change) -> None:
        if change["change"] == "added":
            item = change["item"]
            self.seen.append(item["body"] or item["title"])
            print(f"    {self.name}'s screen: #{item['seq']} [{item['kind']}] {self.seen[-1]}", flush=True)


def main() -> int:
    print("Starting Belfry on free ports (a few seconds) …", flush=True)
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    unset = dict.fromkeys(EXPORTED, "")
    try:
        with tempfile.TemporaryDirectory(prefix="belfry-demo-") as name:
            folder = Path(name)
            with embedded(folder, ports | unset) as services, Stack(folder, services.environ) as stack:
                play(Person("alice", stack), Person("bob", stack))
    except (SceneFailed, StartFailed, ApiError, TimeoutError) as error:
        print(f"\nThe scene failed: {error}", file=sys.stderr)
        return 1
    print("\nAll of it happened.")
    return 0


def play(alice: Person, bob: Person) -> None:
    print("\nbob is online. alice follows him and writes to him:")
    bob.inbox.connect()
    alice.follow("bob")
    alice.send_message("bob", "Hello bob!")
    wait_for(lambda: len(bob.seen) == 2, STEP_TIMEOUT, "bob to see both at once")
    expect(sorted(bob.seen) == ["Hello bob!", "alice follows you"], f"bob saw {bob.seen}")

    print("\nbob goes offline. alice writes twice more:")
    bob.inbox.disconnect()
    later = ["Are you there?", "Never mind, read it later."]
    for unread, text in enumerate(later, start=3):
        alice.send_message("bob", text)
        wait_for(lambda wanted=unread: bob.stored_unread() == wanted, STEP_TIMEOUT, f"{unread} unread in bob's inbox")  # type: ignore[misc]
    print(f"    bob's inbox holds {bob.stored_unread()} unread; his screen still shows {len(bob.seen)}")
    expect(len(bob.seen) == 2, "bob was offline and saw something all the same")

    print("\nbob comes back and catches up:")
    bob.inbox.connect()
    expect(bob.seen[2:] == later, f"bob should have caught up in order, but saw {bob.seen}")

    print("\nbob reads everything:")
    bob.read_all()
    wait_for(lambda: bob.inbox.unread == 0, STEP_TIMEOUT, "bob's screen to show that nothing is unread")
    expect(bob.stored_unread() == 0, "bob has read everything, and something is still unread")
    print("    0 unread, in the inbox and on the screen")
    bob.inbox.disconnect()


def expect(condition: bool, problem: str) -> None:
    if not condition:
        raise SceneFailed(problem)


if __name__ == "__main__":
    sys.exit(main())

"""`make demo`: plays a scene on a system of its own and says what each saw. Exits 0 only if all of it happened."""

import sys
import tempfile
from pathlib import Path

from auth.tokens import issue
from client.inbox import ApiError, Change, Inbox
from dev.embedded import embedded
from dev.processes import StartFailed, free_port, wait_for
from dev.stack import Stack

PATIENCE = 15.0  # seconds that a step may take before the scene has failed
TOKEN_SECONDS = 600


class SceneFailed(Exception):
    """Something that should have been seen was not."""


class Person:
    """Someone with one device, who says aloud what appears on it."""

    def __init__(self, name: str, stack: Stack) -> None:
        self.name = name
        self.seen: list[str] = []
        self.inbox = Inbox(stack.api_url, stack.push_url, self._token(stack), on_change=self._see)

    def follow(self, target: str) -> None:
        self.inbox.request("POST", "/v1/follows", {"target": target})

    def write(self, to: str, text: str) -> None:
        self.inbox.request("POST", "/v1/messages", {"to": to, "text": text})

    def read_all(self) -> None:
        self.inbox.request("POST", "/v1/inbox/read", {"through": self.inbox.version})

    def stored_unread(self) -> int:
        """What the inbox holds, whatever the screen shows."""
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
    own = dict.fromkeys(("DATABASE_URL", "BROKER_URL", "JWT_SECRET", "JWT_JWKS_URL", "JWT_AUDIENCE", "JWT_ISSUER"), "")
    try:
        with tempfile.TemporaryDirectory(prefix="belfry-demo-") as name:
            folder = Path(name)
            with embedded(folder, ports | own) as found, Stack(folder, found.environ) as stack:
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
    alice.write("bob", "Hello bob!")
    wait_for(lambda: len(bob.seen) == 2, PATIENCE, "bob to see both at once")
    demand(sorted(bob.seen) == ["Hello bob!", "alice follows you"], f"bob saw {bob.seen}")

    print("\nbob goes offline. alice writes twice more:")
    bob.inbox.disconnect()
    later = ["Are you there?", "Never mind, read it later."]
    for unread, text in enumerate(later, start=3):
        alice.write("bob", text)
        wait_for(lambda wanted=unread: bob.stored_unread() == wanted, PATIENCE, f"{unread} unread in bob's inbox")  # type: ignore[misc]
    print(f"    bob's inbox holds {bob.stored_unread()} unread; his screen still shows {len(bob.seen)}")
    demand(len(bob.seen) == 2, "bob was offline and saw something all the same")

    print("\nbob comes back and catches up:")
    bob.inbox.connect()
    demand(bob.seen[2:] == later, f"bob should have caught up in order, but saw {bob.seen}")

    print("\nbob reads everything:")
    bob.read_all()
    wait_for(lambda: bob.inbox.unread == 0, PATIENCE, "bob's screen to show that nothing is unread")
    demand(bob.stored_unread() == 0, "bob has read everything, and something is still unread")
    print("    0 unread, in the inbox and on the screen")
    bob.inbox.disconnect()


def demand(fact: bool, otherwise: str) -> None:
    if not fact:
        raise SceneFailed(otherwise)


if __name__ == "__main__":
    sys.exit(main())

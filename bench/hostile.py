"""`[SEED=…] python -m bench.hostile`: a push server under hostile packets, and with a client that does not read.

It sends 100,000 fuzzed packets, then 100,000 notifications for a client that never reads, while another user's
notifications are timed. It prints each finding beside its bound, and exits 1 if a bound does not hold. Takes two to
three minutes.
"""

import contextlib
import itertools
import json
import secrets
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from auth.tokens import issue
from bench.attack import attack, seed_from_environment
from bench.clients import Client
from bench.meter import memory_kib
from dev.processes import Process, free_port, wait_for
from dev.redis import EmbeddedRedis
from dev.services import temporary_folder
from dev.stack import ROOT, answers, command_environment
from models.db.database import Database
from models.schema.revocations import revocations
from push.broker.announcer import Announcer
from push.broker.wire import Announcement

PACKETS = 100_000
NOTIFICATIONS = 100_000
BATCH = 50  # announcements in one call
WARM_UP = 5_000
GROWTH_MAX_KIB = 10 * 1024
LOG_MAX_BYTES = 4 * 1024 * 1024


@dataclass
class Watcher:
    """Bob's client: the latency of each of his notifications, and whether all arrived complete and in order."""

    client: Client
    seconds: list[float] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        with contextlib.suppress(ConnectionError):  # of the server
            while True:
                self._take_what_came()

    def _take_what_came(self) -> None:
        for text in self.client.texts():
            if text == "2":
                self.client.send("3")
            elif text.startswith("42"):
                payload = json.loads(text[2:])[1]
                self.seconds.append(time.monotonic() - payload["item"]["at"])
                self.versions.append(payload["version"])

    def p99_ms(self) -> float:
        return sorted(self.seconds)[len(self.seconds) * 99 // 100] * 1000


class Bounds:
    """The findings, and whether each is within its bound."""

    def __init__(self) -> None:
        self.broken = False

    def say(self, what: str, found: float, most: float | None = None) -> None:
        kept = most is None or found <= most
        self.broken |= not kept
        bound = "" if most is None else f"at most {most:,.1f}: {'ok' if kept else 'BROKEN'}"
        print(f"{what:52} {found:14,.1f}  {bound}", flush=True)


def notify(broker_url: str, other: str, count: int, watcher: Watcher) -> None:
    """Announce this many notifications for another user, and one for bob with each batch."""
    announcer = Announcer(broker_url)
    before = len(watcher.versions)
    batches = count // BATCH
    for number in range(batches):
        flood = [added(other, number * BATCH + each) for each in range(BATCH)]
        announcer.announce([*flood, added("bob", number)])
        while number - (len(watcher.versions) - before) > 2:  # at the server's rate, on any machine
            time.sleep(0.001)
    wait_for(lambda: len(watcher.versions) - before == batches, 60, "bob's last notification")
    announcer.close()


def added(user: str, version: int) -> Announcement:
    item = {"title": "x" * 100, "at": time.monotonic()}
    return Announcement(user, {"version": version, "change": "added", "item": item})


def fuzz(push: Process, port: int, secret: str, seed: int, bounds: Bounds) -> None:
    tokens = (issue(secret, f"mallory {number}", ["inbox"], 3600) for number in itertools.count())
    attack(port, seed ^ 1, WARM_UP, tokens)
    memory, log = memory_kib(push.pid), push.log.stat().st_size
    started = time.monotonic()
    connections = attack(port, seed, PACKETS, tokens)
    bounds.say("hostile packets", PACKETS)
    bounds.say("  over connections", connections)
    bounds.say("  seconds", time.monotonic() - started)
    bounds.say("  growth of memory, KiB", memory_kib(push.pid) - memory, GROWTH_MAX_KIB)
    bounds.say("  growth of the log, bytes", push.log.stat().st_size - log, LOG_MAX_BYTES)
    bounds.say("  errors in the log", errors_in(push.log), 0)


def errors_in(log: Path) -> int:
    return sum(" ERROR " in line or "Traceback" in line for line in log.read_text().splitlines())


def deaf(push: Process, port: int, secret: str, broker_url: str, bounds: Bounds) -> None:
    bob = Watcher(Client(port, issue(secret, "bob", ["inbox"], 3600)))
    reader = Watcher(Client(port, issue(secret, "reader", ["inbox"], 3600)))
    notify(broker_url, "reader", WARM_UP, bob)
    bob.seconds.clear()
    notify(broker_url, "reader", NOTIFICATIONS, bob)
    without = bob.p99_ms()
    bounds.say("bob's p99 while another reads 100,000, ms", without)
    bounds.say("  of them not in order for who reads", out_of_order(reader.versions[WARM_UP:]), 0)
    memory = memory_kib(push.pid)
    with does_not_read(port, issue(secret, "deaf", ["inbox"], 3600)):
        bob.seconds.clear()
        notify(broker_url, "deaf", NOTIFICATIONS, bob)
        bounds.say("bob's p99 while another does not read them, ms", bob.p99_ms(), 2 * without)
        bounds.say("  growth of memory, KiB", memory_kib(push.pid) - memory, GROWTH_MAX_KIB)
        bounds.say("  clients that were not cut off for it", 1 - push.output().count("reason=slow"), 0)


def out_of_order(versions: list[int]) -> int:
    return sum(version != place for place, version in enumerate(versions))


@contextmanager
def push_server(folder: Path) -> Iterator[tuple[Process, int, str, str]]:
    """Start a push server on a private Redis: its process, port, secret, and the broker's URL."""
    port, secret = free_port(), secrets.token_hex(32)
    database = Database(f"sqlite:///{folder}/belfry.db")
    revocations.create(database.engine)  # the only table that a push server reads
    database.dispose()
    with EmbeddedRedis(folder / "redis.log") as redis:
        environ = {
            "DATABASE_URL": f"sqlite:///{folder}/belfry.db",
            "BROKER_URL": redis.url,
            "JWT_SECRET": secret,
            "PUSH_PORT": str(port),
        }
        command = [sys.executable, "-m", "push"]
        ready = lambda: answers(f"http://127.0.0.1:{port}/readyz")  # noqa: E731
        log = folder / "push.log"
        with Process("push", command, log, port=port, ready=ready, env=command_environment(environ), cwd=ROOT) as push:
            yield push, port, secret, redis.url


class does_not_read:  # noqa: N801  (it is used as a phrase)
    """A client that connects and never reads again; the kernel's buffer for it is small."""

    def __init__(self, port: int, token: str) -> None:
        self._client = Client(port, token)
        self._client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._client.socket.close()


def run(seed: int) -> Iterator[Bounds]:
    bounds = Bounds()
    with temporary_folder() as folder, push_server(folder) as (push, port, secret, broker_url):
        fuzz(push, port, secret, seed, bounds)
        deaf(push, port, secret, broker_url, bounds)
        yield bounds


def main() -> int:
    seed = seed_from_environment()
    print(f"seed {seed}", flush=True)
    return int(any(bounds.broken for bounds in run(seed)))


if __name__ == "__main__":
    sys.exit(main())

"""A process that announces on request: what a worker does after its commits, without the worker's other work.

Each line of standard input is a request, `{"kind": "broadcast", "times": 10}` or `{"kind": "own", "people": 5000,
"version": 1}`; each line of standard output is the start of one, in seconds of `perf_counter`. The broker is that of
BROKER_URL.
"""

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import uuid4

from bench.posts import content
from push.broker.announcer import Announcer
from push.broker.wire import Announcement

TOGETHER = 50  # announcements in one call: those of one delivery
EPOCH = str(uuid4())


def name_of(place: int) -> str:
    """The id of the nth recipient."""
    return f"user{place}"


def main() -> None:
    announcer = Announcer(os.environ["BROKER_URL"])
    announcer.announce([])
    for line in sys.stdin:
        order = json.loads(line)
        batches = list(_own(order)) if order["kind"] == "own" else []
        began = perf_counter()
        for batch in batches:
            announcer.announce(batch)
        for n in range(order.get("times", 0)):
            announcer.emit("notification", _payload(1, n), namespace="/")
        print(json.dumps({"began": began}), flush=True)


def _own(order: dict[str, Any]) -> Iterator[list[Announcement]]:
    people = range(order["people"])
    for start in range(0, len(people), TOGETHER):
        each = people[start : start + TOGETHER]
        yield [Announcement(name_of(place), _payload(order["version"], place)) for place in each]


def _payload(version: int, n: int) -> dict[str, Any]:
    """A payload as the socket contract defines it."""
    told = {"seq": version, "version": version, "id": str(uuid4()), "actor": None, "severity": "none", "topic": None}
    moments = {"created_at": datetime.now(UTC).isoformat(), "seen_at": None, "read_at": None, "archived_at": None}
    item = {**told, **content(n), **moments, "expires_at": None}
    return {"version": version, "epoch": EPOCH, "change": "added", "item": item, "unread": version, "unseen": version}


if __name__ == "__main__":
    main()

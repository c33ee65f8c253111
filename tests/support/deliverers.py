"""Deliver batches at random with several worker threads; exits 1 if items are out of order or missing.

The threads take tasks from a queue like Celery's: parts of batches, in any order, some of them twice. Other threads
lock inboxes meanwhile, and the schema refuses some notifications. A relay enqueues the rest again.
"""

import random
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from queue import Empty, Queue
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update

from models.db.database import DatabaseUnavailable
from models.delivery import fanout
from models.inbox import reading
from models.inbox.versions import lock_inboxes
from models.notifications import accept as notifications
from models.notifications import conditions
from models.notifications import relay as outbox
from models.notifications.accept import NewNotification
from models.schema.inbox import inbox_items
from models.schema.notifications import notifications as rows
from models.subscriptions import subscribe
from workers.celery import announcer, app, database
from workers.queues import DELIVER, FAN_OUT
from workers.tasks import deliver, fan_out

PEOPLE = [f"person {n}" for n in range(6)]
BATCHES, MEMBERS = 5, 30
THREADS = 6
HOLDS = 4  # how often a thread locks inboxes, for longer than a worker waits
SECONDS = 90.0  # for the whole run, on a busy machine
RELAY_SECONDS = 0.3

queue: Queue[tuple[str, list[Any], dict[str, bool]]] = Queue()
over = threading.Event()


def send_task(name: str, args: Sequence[Any], kwargs: dict[str, bool] | None = None) -> None:
    queue.put((name, list(args), kwargs or {}))


def work() -> None:
    while not over.is_set():
        try:
            name, args, kwargs = queue.get(timeout=0.05)
        except Empty:
            continue
        with suppress(DatabaseUnavailable):  # the task fails, and the relay enqueues it again
            if name == DELIVER:
                deliver.deliver.run(args[0], **kwargs)
            else:
                fan_out.fan_out.run(args[0], **kwargs)


def relay() -> None:
    """Enqueue every undelivered notification again and again, alone or with others."""
    chance = random.Random(0)
    while not over.wait(RELAY_SECONDS):
        with suppress(DatabaseUnavailable):  # this tick fails, and the next one continues
            tick(chance)


def tick(chance: random.Random) -> None:
    with database.transaction() as conn:
        free = select(rows.c.id).where(conditions.WAITING).with_for_update(skip_locked=True)
        ids = conn.scalars(free).all()
        conn.execute(update(rows).where(rows.c.id.in_(ids)).values(enqueue_at=datetime.now(UTC)))
        due = outbox.due(conn, datetime.now(UTC), 1_000)
    direct = [str(one) for one in due.deliver if one not in due.broadcasts]
    for one in due.broadcasts & set(due.deliver):
        send_task(FAN_OUT, [str(one)], {"again": True})
    while direct:
        size = chance.randint(1, 60)
        send_task(DELIVER, [direct[:size]], {"again": True})
        direct = direct[size:]


def keep_holding(chance: random.Random) -> None:
    for _ in range(HOLDS):
        with suppress(DatabaseUnavailable), database.transaction() as conn:
            lock_inboxes(conn, sorted(chance.sample(PEOPLE, 2)))
            over.wait(chance.uniform(0.1, 1.0))
        over.wait(0.1)


def post(chance: random.Random) -> list[UUID]:
    new = [NewNotification("shop", "offer", "News", batch="a digest", **audience(chance)) for _ in range(MEMBERS)]
    ids = accept(new)
    for _ in range(3):  # parts of it, in any order, some twice
        some = [str(one) for one in chance.sample(ids, chance.randint(1, MEMBERS))]
        queue.put((DELIVER, [some], {}))
    return ids


def accept(new: Sequence[NewNotification]) -> list[UUID]:
    """Accept these, and retry while the database is busy, as a producer would."""
    while True:
        with suppress(DatabaseUnavailable), database.transaction() as conn:
            return notifications.accept(conn, new, datetime.now(UTC))


def audience(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.1:
        return chance.choice([{"topic": "boots"}, {"everyone": True}])
    named = tuple(chance.sample(PEOPLE, chance.randint(1, 3)))
    return {"recipients": named * 2 if chance.random() < 0.02 else named}  # the schema refuses a repeated recipient


def left() -> int:
    with database.snapshot() as conn:
        return int(conn.scalar(select(func.count()).where(conditions.WAITING)) or 0)


def out_of_order() -> list[tuple[str, int, int]]:
    """Pairs of items of one batch in one inbox that are in the wrong order."""
    both = text(
        "SELECT one.recipient_id, one.seq, other.seq FROM inbox_items one"
        " JOIN notifications n ON n.id = one.notification_id"
        " JOIN inbox_items other ON other.recipient_id = one.recipient_id AND other.seq < one.seq"
        " JOIN notifications m ON m.id = other.notification_id AND m.batch = n.batch AND m.id > n.id"
    )
    with database.snapshot() as conn:
        return [(recipient, seq, before) for recipient, seq, before in conn.execute(both)]


def main(seed: int) -> str | None:
    chance = random.Random(seed)
    app.send_task = send_task
    fan_out.fan_out.delay = lambda id_: send_task(FAN_OUT, [id_])
    for method in ("announce", "announce_items"):
        setattr(announcer, method, lambda _: None)  # there are no push servers
    with database.transaction() as conn:
        reading.open_inboxes(conn, PEOPLE, datetime.now(UTC))
        subscribe(conn, "boots", PEOPLE[::2], datetime.now(UTC))
    fanout.FANOUT_LEASE = timedelta(0)
    deadline = time.monotonic() + SECONDS
    with ThreadPoolExecutor(THREADS + 2) as pool:
        running = [pool.submit(work) for _ in range(THREADS)]
        running += [pool.submit(relay), pool.submit(keep_holding, random.Random(seed + 1))]
        try:
            for _ in range(BATCHES):
                post(chance)
            while left() and time.monotonic() < deadline and not any(one.done() for one in running[:-1]):
                time.sleep(0.05)
        finally:
            over.set()
        for one in running:
            one.result()
    with database.snapshot() as conn:
        arrived = conn.scalar(select(func.count(inbox_items.c.seq))) or 0
    wrong = out_of_order()
    print(f"{arrived} items, {left()} left, {len(wrong)} out of order")
    return None if not wrong and not left() and arrived > BATCHES * MEMBERS else "see above"


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

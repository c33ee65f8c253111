"""Eight writers at once on PostgreSQL, doing all there is to do: no deadlock, no gap, no double, exact counts.

Devices follow meanwhile, and a recount finds nothing to repair at any moment.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from models import retention
from models.db.database import Connection, Database
from models.delivery import deliver as delivery
from models.delivery import fanout
from models.delivery import withdraw as withdrawal
from models.inbox import marking
from models.inbox import reading as inbox
from models.inbox.marking import Selection
from models.inbox.rendering import Change
from models.notifications import accept, cancel, relay
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER, RELAY_AFTER_AT_MOST
from models.retention import Retention
from models.schema.inbox import inbox_items
from models.schema.notifications import notifications as notification_rows
from models.subscriptions import subscribe, unsubscribe
from tests.models.world import ALL, Device, expect_a_whole_log, expect_exact_counts
from tests.support import reading
from tests.support.delivered import as_changes

WRITERS = 8
TURNS = 25  # of each
RETENTION = Retention(notifications=timedelta(seconds=1.5), changes=timedelta(seconds=0.5))
SEED = 20261122


class Crowd:
    """What the writers share: the recipients, the notifications, and every version with the writer that took it."""

    def __init__(self, database: Database, size: int) -> None:
        self.database = database
        self.people = [f"person {n:02}" for n in range(size)]
        self.published: list[UUID] = []
        self.taken: list[tuple[str, int]] = []
        self.arrived: list[tuple[str, str]] = []
        with database.transaction() as conn:
            inbox.open_inboxes(conn, self.people, datetime.now(UTC))
            subscribe(conn, "boots", self.people[::2], datetime.now(UTC))
            self.epoch = inbox.current_summary(conn, self.people[0]).epoch

    def note(self, changes: Iterable[Change]) -> None:
        for change in changes:
            assert change.epoch == self.epoch
            self.taken.append((change.recipient_id, change.rendered["version"]))
            if change.rendered["change"] == "added":
                self.arrived.append((change.recipient_id, change.rendered["item"]["id"]))

    def deliver(self, ids: Sequence[UUID], now: datetime) -> None:
        with self.database.transaction() as conn:
            delivered = delivery.deliver(conn, ids, now)
        self.note(as_changes(delivered.items))

    def fan_out(self, id_: UUID, size: int, now: datetime) -> bool:
        with self.database.transaction() as conn:
            chunk = fanout.fan_out(conn, id_, size, now)
        self.note(as_changes(chunk.items))
        return chunk.finished

    def withdraw(self, id_: UUID, size: int, now: datetime) -> bool:
        with self.database.transaction() as conn:
            chunk = withdrawal.withdraw(conn, id_, size, now)
        self.note(chunk.changes)
        return chunk.finished

    def withdraw_named(self, ids: Sequence[UUID], now: datetime) -> None:
        with self.database.transaction() as conn:
            withdrawn = withdrawal.withdraw_named(conn, ids, now)
        self.note(withdrawn.changes)

    def relay(self, now: datetime, size: int) -> bool:
        with self.database.transaction() as conn:
            due = relay.due(conn, now, 50)
        self.deliver(due.deliver, now)
        self.withdraw_named(due.withdraw, now)
        for id_ in due.deliver:
            while not self.fan_out(id_, size, now):
                pass
        for id_ in due.withdraw:
            while not self.withdraw(id_, size, now):
                pass
        return bool(due.deliver or due.withdraw)


class Writer:
    """One of the eight: it executes random operations for random recipients, with a connection of its own."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        self.crowd = crowd
        self.chance = random.Random(SEED + number)

    def work(self) -> None:
        turns: list[Callable[[datetime], None]] = [self.publish, self.publish, self.publish, self.redeliver, self.mark]
        turns += [self.mark, self.set_state, self.set_state, self.delete, self.cancel, self.withdraw, self.relay]
        turns += [self.upkeep, self.subscribe]
        for _ in range(TURNS):
            self.chance.choice(turns)(datetime.now(UTC))

    def publish(self, now: datetime) -> None:
        people = self.chance.sample(self.crowd.people, min(len(self.crowd.people), self.chance.randint(1, 8)))
        target = self.chance.choice([{"recipients": tuple(people)}] * 4 + [{"topic": "boots"}, {"everyone": True}])
        end = now + timedelta(milliseconds=self.chance.randint(1, 400)) if self.chance.random() < 0.3 else None
        new = NewNotification("shop", "offer", "News", expires_at=end, **target)  # type: ignore[arg-type]
        with self.crowd.database.transaction() as conn:
            ids = accept.accept(conn, [new] * self.chance.randint(1, 3), now)
        self.crowd.published += ids
        self.crowd.deliver(ids, now)
        for id_ in ids:
            self.crowd.fan_out(id_, self.chance.randint(1, 5), now)

    def redeliver(self, now: datetime) -> None:
        ids = self.some_published(4)
        self.crowd.deliver(ids, now)
        for id_ in ids:
            self.crowd.fan_out(id_, 3, now - timedelta(milliseconds=200))  # a worker whose clock is behind

    def mark(self, now: datetime) -> None:
        owner, change = self.someone(), self.chance.choice(["seen", "read", "archived"])
        with self.crowd.database.transaction() as conn:
            through = self.chance.randint(0, inbox.current_summary(conn, owner).version + 1)
            marked = marking.mark(conn, owner, change, Selection(through=through), now=now)
        if marked.version is not None:
            self.crowd.taken.append((owner, marked.version))

    def set_state(self, now: datetime) -> None:
        owner, value = self.someone(), self.chance.random() < 0.5
        state = {self.chance.choice(["read", "archived"]): value}
        with self.crowd.database.transaction() as conn:
            versions = marking.set_state(conn, owner, self.some_seq(conn, owner), now=now, **state)
        self.crowd.taken += [(owner, version) for version in versions or []]

    def delete(self, now: datetime) -> None:
        owner = self.someone()
        with self.crowd.database.transaction() as conn:
            version = marking.delete_item(conn, owner, self.some_seq(conn, owner), now=now)
        self.crowd.taken += [(owner, version)] if version is not None else []

    def cancel(self, now: datetime) -> None:
        for id_ in self.some_published(2):
            with self.crowd.database.transaction() as conn:
                cancel.cancel(conn, "shop", id_, now)

    def withdraw(self, now: datetime) -> None:
        for id_ in self.some_published(6):
            self.crowd.withdraw(id_, self.chance.randint(1, 4), now)

    def relay(self, now: datetime) -> None:
        self.crowd.relay(now + RELAY_AFTER * self.chance.randint(0, 1), size=3)

    def upkeep(self, now: datetime) -> None:
        step = self.chance.choice([retention.expire_old, retention.delete_old, retention.forget_changes])
        with self.crowd.database.transaction() as conn:
            step(conn, RETENTION, now, self.chance.randint(1, 30))

    def subscribe(self, now: datetime) -> None:
        people = self.chance.sample(self.crowd.people, min(len(self.crowd.people), 5))
        with self.crowd.database.transaction() as conn:
            subscribe(conn, "boots", people[2:], now)
            unsubscribe(conn, "boots", people[:2])

    def someone(self) -> str:
        return self.chance.choice(self.crowd.people)

    def some_published(self, count: int) -> list[UUID]:
        recent = self.crowd.published[-40:]
        return self.chance.sample(recent, min(count, len(recent)))

    def some_seq(self, conn: Connection, owner: str) -> int:
        return max(0, inbox.current_summary(conn, owner).version - self.chance.randint(0, 10))


@pytest.mark.parametrize("people", [1, 20])
def test_eight_writers_at_once_leave_every_inbox_whole_and_every_device_right(postgres: Database, people: int) -> None:
    crowd = Crowd(postgres, people)
    devices = [Device(postgres, crowd.people[n]) for n in (0, -1)]
    writing = threading.Event()
    writing.set()

    def follow(device: Device) -> None:
        while writing.is_set():
            device.sync()

    def keep_recounting() -> None:
        while writing.is_set():
            expect_exact_counts(postgres, repair=True)

    with ThreadPoolExecutor(WRITERS + len(devices) + 1) as pool:
        following = [*(pool.submit(follow, device) for device in devices), pool.submit(keep_recounting)]
        writers = [pool.submit(Writer(crowd, number).work) for number in range(WRITERS)]
        try:
            for writer in writers:
                writer.result()
        finally:
            writing.clear()
        for one in following:
            one.result()
    while crowd.relay(datetime.now(UTC) + RELAY_AFTER_AT_MOST, size=3):
        pass

    expect_every_version_once(crowd)
    assert [place for place, times in Counter(crowd.arrived).items() if times > 1] == []
    expect_exact_counts(postgres)
    expect_nothing_that_ended(postgres)
    for device in devices:
        device.sync()
        with postgres.snapshot() as conn:
            device.expect_the_same_as(reading.page(conn, device.owner, state="all", limit=ALL))


def expect_every_version_once(crowd: Crowd) -> None:
    """Every writer knows the versions that it took: together they have no gap and no double."""
    for person in crowd.people:
        with crowd.database.snapshot() as conn:
            last = inbox.current_summary(conn, person).version
        assert sorted(version for owner, version in crowd.taken if owner == person) == list(range(1, last + 1))
        expect_a_whole_log(crowd.database, person)


def expect_nothing_that_ended(database: Database) -> None:
    """Cancelled and expired notifications are in no inbox, and nothing waits for the relay for ever."""
    ended = notification_rows.c.cancelled_at.is_not(None) | (notification_rows.c.expires_at <= datetime.now(UTC))
    with database.snapshot() as conn:
        left = (
            select(inbox_items)
            .join(notification_rows, inbox_items.c.notification_id == notification_rows.c.id)
            .where(ended)
        )
        assert conn.execute(left).all() == []
        endless = select(notification_rows.c.id).where(notification_rows.c.enqueue_at.is_not(None))
        assert conn.scalars(endless).all() == []

"""Rows older than their retention are deleted in batches; only a client that was away longer loads its inbox anew."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select, update

from models import retention
from models.db.database import Connection, Database
from models.delivery import deliver as delivery
from models.delivery import fanout, withdraw
from models.inbox import marking
from models.inbox.reading import ResyncRequired
from models.inbox.rendering import Change, Rendered
from models.inbox.versions import lock_inboxes
from models.notifications import accept as notifications
from models.notifications import cancel
from models.notifications import relay as relay_module
from models.notifications.conditions import RELAY_AFTER
from models.retention import Retention
from models.retries import parked
from models.retries.errors import PermanentError
from models.schema.delivery import fanouts
from models.schema.notifications import notifications as notification_rows
from models.subscriptions import subscribe
from tests.models.conftest import NOW
from tests.support import reading

Accept = Callable[..., UUID]
Deliver = Callable[..., list[Change]]
Items = Callable[..., list[Rendered]]
Step = Callable[[Connection, Retention, datetime, int], int]

A_DAY = timedelta(days=1)
RETENTION = Retention(notifications=30 * A_DAY, changes=10 * A_DAY)
A_MOMENT = timedelta(microseconds=1)


def run(database: Database, step: Step, now: datetime, size: int = 10) -> int:
    with database.transaction() as conn:
        return step(conn, RETENTION, now, size)


def relay(database: Database, now: datetime) -> None:
    with database.transaction() as conn:
        due = relay_module.due(conn, now, 10)
        delivery.deliver(conn, due.deliver, now)
        for id_ in due.withdraw:
            withdraw.withdraw(conn, id_, 10, now)


def stored(database: Database) -> set[UUID]:
    with database.snapshot() as conn:
        return set(conn.scalars(select(notification_rows.c.id)))


def read(database: Database, seq: int, now: datetime, owner: str = "bob", *, value: bool = True) -> None:
    with database.transaction() as conn:
        marking.set_state(conn, owner, seq, now=now, read=value)


def test_an_old_notification_leaves_the_inbox_by_a_change_and_is_deleted_then(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    old = accept(recipients=("bob",))
    deliver(old)
    assert run(database, retention.expire_old, NOW + 30 * A_DAY) == 0
    limit = NOW + 30 * A_DAY + A_MOMENT
    assert run(database, retention.expire_old, limit) == 1
    assert run(database, retention.delete_old, limit) == 0
    relay(database, limit)
    assert items_of("bob") == []
    with database.snapshot() as conn:
        [change] = reading.changes(conn, "bob", 1, 10).changes
    assert (change["change"], change["seqs"]) == ("expired", [1])
    assert run(database, retention.expire_old, limit) == 0
    assert run(database, retention.delete_old, limit) == 1
    assert stored(database) == set()


def test_what_is_scheduled_beyond_the_retention_is_delivered_first_and_kept_as_long(
    database: Database, accept: Accept, items_of: Items
) -> None:
    delivered_at = NOW + 45 * A_DAY
    accept(recipients=("bob",), deliver_at=delivered_at)
    assert run(database, retention.expire_old, delivered_at) == 0
    relay(database, delivered_at)
    assert run(database, retention.expire_old, delivered_at + 30 * A_DAY) == 0
    assert len(items_of("bob")) == 1
    assert run(database, retention.expire_old, delivered_at + 30 * A_DAY + A_MOMENT) == 1


def test_what_was_cancelled_or_expired_undelivered_is_deleted_when_it_is_old(
    database: Database, accept: Accept
) -> None:
    cancelled, _expired = accept(recipients=("bob",)), accept(everyone=True, expires_at=NOW + A_DAY)
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", cancelled, NOW)
    relay(database, NOW + A_DAY)
    assert run(database, retention.delete_old, NOW + 30 * A_DAY) == 0
    assert run(database, retention.delete_old, NOW + 31 * A_DAY) == 2
    assert stored(database) == set()


def test_a_part_that_a_fan_out_left_behind_goes_with_its_notification(database: Database, accept: Accept) -> None:
    gone, waiting = accept(everyone=True), accept(everyone=True)
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", gone, NOW)
    relay(database, NOW + RELAY_AFTER)
    with database.transaction() as conn:
        parts = [{"notification_id": id_, "part": 0, "reached": "", "until": "x"} for id_ in (gone, waiting)]
        conn.execute(fanouts.insert(), parts)
    assert run(database, retention.delete_old, NOW + 31 * A_DAY) == 1
    assert stored(database) == {waiting}
    with database.snapshot() as conn:
        assert conn.scalars(select(fanouts.c.notification_id)).all() == [waiting]


def test_what_grows_old_while_it_fails_has_all_attempts_to_be_withdrawn(database: Database, accept: Accept) -> None:
    id_ = accept(recipients=("bob",))
    late = NOW + 31 * A_DAY
    with database.transaction() as conn:
        relay_module.due(conn, late - timedelta(minutes=1), 10)
        parked.record_failure(conn, id_, PermanentError("a reason"), late, counted=False)
    assert run(database, retention.expire_old, late) == 1
    with database.snapshot() as conn:
        row = conn.execute(select(notification_rows)).one()
    assert (row.attempts, row.enqueued, row.enqueue_at) == (0, 0, late)


def test_a_key_is_free_again_when_its_notification_is_deleted_and_not_before(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    first = accept(recipients=("bob",), idempotency_key="order 41")
    deliver(first)
    late = NOW + 31 * A_DAY
    run(database, retention.expire_old, late)
    relay(database, late)
    assert accept(recipients=("bob",), idempotency_key="order 41") == first
    run(database, retention.delete_old, late)
    assert accept(recipients=("bob",), idempotency_key="order 41") != first


def test_who_repeats_a_key_while_its_notification_is_deleted_is_promised_what_is_stored(
    database: Database, accept: Accept, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = accept(recipients=("bob",), idempotency_key="order 41")
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", first, NOW)
    relay(database, NOW + RELAY_AFTER)
    known = notifications._known

    def deleted_just_before(conn: Connection, keyed: list[dict[str, Any]]) -> dict[tuple[str, str], Row[Any]]:
        monkeypatch.setattr(notifications, "_known", known)
        assert retention.delete_old(conn, RETENTION, NOW + 31 * A_DAY, 100) == 1
        return known(conn, keyed)

    monkeypatch.setattr(notifications, "_known", deleted_just_before)
    second = accept(recipients=("bob",), idempotency_key="order 41")
    assert stored(database) == {second} != {first}


def test_what_is_in_an_inbox_or_on_its_way_is_not_deleted(database: Database, accept: Accept, deliver: Deliver) -> None:
    held, waiting = accept(recipients=("bob",)), accept(recipients=("bob",))
    deliver(held)
    assert run(database, retention.delete_old, NOW + 31 * A_DAY) == 0
    with database.transaction() as conn:  # as if it had been written to an inbox too late
        conn.execute(update(notification_rows).where(notification_rows.c.id == held).values(withdrawn_at=NOW))
    assert run(database, retention.delete_old, NOW + 31 * A_DAY) == 0
    assert stored(database) == {held, waiting}


def test_forgetting_sends_back_who_is_older_than_the_newest_forgotten_change_and_nobody_else(
    database: Database, receive: Deliver
) -> None:
    receive("bob")
    read(database, 1, NOW)  # version 2
    read(database, 1, NOW + 5 * A_DAY, value=False)  # version 3
    assert run(database, retention.forget_changes, NOW + 10 * A_DAY) == 0
    assert run(database, retention.forget_changes, NOW + 11 * A_DAY) == 1
    with database.snapshot() as conn:
        for since in (0, 1):
            with pytest.raises(ResyncRequired):
                reading.changes(conn, "bob", since, 10)
        assert [change["version"] for change in reading.changes(conn, "bob", 2, 10).changes] == [3]
        assert reading.changes(conn, "bob", 3, 10).changes == []


def test_arrivals_are_never_forgotten(database: Database, receive: Deliver) -> None:
    for _ in range(3):
        receive("bob")
    assert run(database, retention.forget_changes, NOW + 20 * A_DAY) == 0
    with database.snapshot() as conn:
        assert len(reading.changes(conn, "bob", 0, 10).changes) == 3


def test_it_goes_batch_by_batch_through_many_inboxes(database: Database, receive: Deliver) -> None:
    people = [f"{n:02}" for n in range(7)]
    receive(*people)
    for n, person in enumerate(people):
        read(database, 1, NOW + n * timedelta(seconds=1), person)
        read(database, 1, NOW + n * timedelta(seconds=1), person, value=False)
    batches = [run(database, retention.forget_changes, NOW + 20 * A_DAY, size=5) for _ in range(4)]
    assert batches == [5, 5, 4, 0]
    with database.snapshot() as conn:
        for person in people:
            assert reading.changes(conn, person, 3, 10).changes == []
            with pytest.raises(ResyncRequired):
                reading.changes(conn, person, 2, 10)


def test_who_is_at_work_is_not_waited_for(postgres: Database) -> None:
    """Changes of a locked inbox and a notification in a fan-out are left for a later run."""
    new = notifications.NewNotification("shop", "offer", "News", recipients=("alice", "bob"))
    wide = notifications.NewNotification("shop", "offer", "News", topic="boots")
    with postgres.transaction() as conn:
        named, to_topic = notifications.accept(conn, [new, wide], NOW)
        delivery.deliver(conn, [named], NOW)
        subscribe(conn, "boots", ["alice", "bob"], NOW)
    for owner in ("alice", "bob"):
        read(postgres, 1, NOW, owner)
    late = NOW + 31 * A_DAY
    with postgres.transaction() as busy:
        assert lock_inboxes(busy, ["alice"]) == ["alice"]
        fanout.fan_out(busy, to_topic, 1, NOW)
        assert run(postgres, retention.forget_changes, late) == 1
        assert run(postgres, retention.expire_old, late) == 1
    assert run(postgres, retention.forget_changes, late) == 1
    assert run(postgres, retention.expire_old, late) == 1


def test_who_is_at_work_does_not_end_the_batch(postgres: Database) -> None:
    """A batch that is not full ends the run: if locked inboxes made batches smaller, it would never keep up."""
    people = [f"{n}" for n in range(9)]
    with postgres.transaction() as conn:
        new = [notifications.NewNotification("shop", "offer", "News", recipients=tuple(people))]
        delivery.deliver(conn, notifications.accept(conn, new, NOW), NOW)
    for n, owner in enumerate(people):
        read(postgres, 1, NOW + n * timedelta(seconds=1), owner)
    with postgres.transaction() as busy:
        lock_inboxes(busy, people[:4])
        assert [run(postgres, retention.forget_changes, NOW + 20 * A_DAY, size=2) for _ in range(4)] == [2, 2, 1, 0]
    with postgres.snapshot() as conn:
        for owner in people[:4]:
            assert [change["version"] for change in reading.changes(conn, owner, 1, 10).changes] == [2]

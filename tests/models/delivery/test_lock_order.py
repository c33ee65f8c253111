"""Transactions that lock the same rows wait for each other, in whatever order each was given the rows.

On PostgreSQL only: SQLite has one lock for all writers, so its transactions cannot deadlock.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import combinations_with_replacement, count
from threading import Barrier
from typing import Any, TypeVar
from uuid import UUID

import pytest
from sqlalchemy import select, text

from models.db.database import Connection, Database
from models.delivery import deliver as delivery
from models.delivery import fanout, withdraw
from models.inbox import reading
from models.inbox.versions import lock_inboxes
from models.notifications import accept as notifications
from models.notifications import relay
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER
from models.schema.inbox import inboxes
from models.subscriptions import subscribe
from tests.models.conftest import NOW
from tests.models.locks import wait_until_blocked

R = TypeVar("R")
T = TypeVar("T")
Step = Callable[[Connection, Sequence[str]], object]
Prepare = Callable[[Connection], Callable[[Connection], object]]

ROUNDS = 6  # a wrong order deadlocks in most of them
MANY = 400
SOON = NOW + timedelta(seconds=1)
PEOPLE = [f"{n:03}" for n in range(MANY)]
# FOR UPDATE: a subscription refers to its inbox by a foreign key, and would not wait for a weaker lock.
LOCK_THE_MIDDLE = select(inboxes).where(inboxes.c.recipient_id == PEOPLE[MANY // 2]).with_for_update()

_titles = count()


def at_once(database: Database, steps: Sequence[Callable[[Connection], T]]) -> list[T]:
    """The results of all steps, each in a transaction of its own that begins when every thread is ready."""
    ready = Barrier(len(steps))

    def run(step: Callable[[Connection], T]) -> T:
        ready.wait()
        with database.transaction() as conn:
            return step(conn)

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(run, steps))


def in_both_orders(step: Callable[[Connection, Sequence[R]], T], rows: Sequence[R]) -> list[Callable[[Connection], T]]:
    return [lambda conn: step(conn, rows), lambda conn: step(conn, rows[::-1])]


def accept(conn: Connection, keys: Sequence[str]) -> object:
    return notifications.accept(conn, [NewNotification("shop", "offer", "t", idempotency_key=k) for k in keys], NOW)


def accept_each(conn: Connection, keys: Sequence[str]) -> object:
    new = [NewNotification("shop", "offer", "t", idempotency_key=k) for k in keys]
    return notifications.accept_each(conn, new, NOW)


def deliver(conn: Connection, people: Sequence[str]) -> object:
    new = NewNotification("shop", "offer", str(next(_titles)), recipients=tuple(people))
    return delivery.deliver(conn, notifications.accept(conn, [new], NOW), NOW).items


def accept_to_each(conn: Connection, people: Sequence[str], expires_at: datetime | None = None) -> list[UUID]:
    new = [NewNotification("shop", "offer", "t", recipients=(one,), expires_at=expires_at) for one in people]
    return notifications.accept(conn, new, NOW)


def deliver_to_each(conn: Connection, people: Sequence[str]) -> object:
    return delivery.deliver(conn, accept_to_each(conn, people), NOW).items


STEPS: dict[str, Step] = {
    "open inboxes": lambda conn, people: reading.open_inboxes(conn, people, NOW),
    "subscribe": lambda conn, people: subscribe(conn, "boots", people, NOW),
    "accept with keys": accept,
    "accept each with its key": accept_each,
    "deliver one to many": deliver,
    "deliver many": deliver_to_each,
    "hold": lock_inboxes,
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("there", [False, True], ids=["new", "known"])
def test_in_opposite_orders_at_once_neither_fails(postgres: Database, step: Step, there: bool) -> None:
    for turn in range(ROUNDS):
        names = [f"{0 if there else turn} {n:03}" for n in range(MANY)]
        at_once(postgres, in_both_orders(step, names))


def deliver_them(conn: Connection, ids: Sequence[UUID]) -> int:
    return len(delivery.deliver(conn, ids, NOW).items)


def withdraw_them(conn: Connection, ids: Sequence[UUID]) -> int:
    return len(withdraw.withdraw_named(conn, ids, SOON).changes)


@pytest.mark.parametrize("step", [deliver_them, withdraw_them])
def test_two_workers_with_the_same_notifications_wait_for_each_other(
    postgres: Database, step: Callable[[Connection, Sequence[UUID]], int]
) -> None:
    for _ in range(ROUNDS):
        with postgres.transaction() as conn:
            ids = accept_to_each(conn, PEOPLE, expires_at=SOON)
            if step is withdraw_them:
                deliver_them(conn, ids)
        done = at_once(postgres, in_both_orders(step, ids))
        assert sorted(done) == [0, MANY]


def accept_one(conn: Connection, **audience: Any) -> UUID:
    new = NewNotification("shop", "offer", "t", expires_at=SOON, **audience)
    return notifications.accept(conn, [new], NOW)[0]


def to_deliver(conn: Connection) -> Callable[[Connection], object]:
    id_ = accept_one(conn, recipients=tuple(PEOPLE[::-1]))
    return lambda conn: deliver_them(conn, [id_])


def to_fan_out(conn: Connection) -> Callable[[Connection], object]:
    id_ = accept_one(conn, topic="boots")
    return lambda conn: fanout.fan_out(conn, id_, MANY + 1, NOW)


def to_withdraw(conn: Connection) -> Callable[[Connection], object]:
    ids = accept_to_each(conn, PEOPLE[::-1], expires_at=SOON)
    deliver_them(conn, ids)
    return lambda conn: withdraw_them(conn, ids)


def to_withdraw_a_broadcast(conn: Connection) -> Callable[[Connection], object]:
    id_ = accept_one(conn, everyone=True)
    fanout.fan_out(conn, id_, MANY + 1, NOW)
    return lambda conn: withdraw.withdraw(conn, id_, MANY + 1, SOON)


def to_subscribe(conn: Connection) -> Callable[[Connection], object]:
    return lambda conn: subscribe(conn, "hats", PEOPLE[::-1], NOW)


WORK: dict[str, Prepare] = {
    "deliver": to_deliver,
    "fan out": to_fan_out,
    "withdraw": to_withdraw,
    "withdraw a broadcast": to_withdraw_a_broadcast,
    "subscribe": to_subscribe,
}


@pytest.mark.parametrize(("first", "second"), list(combinations_with_replacement(WORK, 2)))
def test_two_kinds_of_work_on_the_same_inboxes_lock_them_in_the_same_order(
    postgres: Database, first: str, second: str
) -> None:
    """A third transaction blocks both at one inbox: if they had locked others in two orders, they would deadlock."""
    with postgres.transaction() as conn:
        subscribe(conn, "boots", PEOPLE, NOW)
        steps = [WORK[first](conn), WORK[second](conn)]
    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            conn.execute(LOCK_THE_MIDDLE)
            both = pool.submit(at_once, postgres, steps)
            wait_until_blocked(postgres, sessions=2)
        both.result()


def test_a_tick_of_the_relay_skips_notifications_that_another_tick_has_locked(postgres: Database) -> None:
    later = NOW + RELAY_AFTER
    with postgres.transaction() as conn:
        ids = accept_to_each(conn, PEOPLE[:5])
    with postgres.transaction() as one, postgres.transaction() as other:
        other.execute(text("SET LOCAL lock_timeout = '5s'"))
        assert relay.due(one, later, 2).deliver == ids[:2]
        assert relay.due(other, later, 10).deliver == ids[2:]

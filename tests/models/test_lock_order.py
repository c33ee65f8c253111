"""Two transactions that want the same many rows wait for each other, in whatever order each was given them.

Where one need not have them, it passes them by.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Barrier
from uuid import UUID

import pytest
from sqlalchemy import text

from models import delivery, inbox, notifications, withdrawal
from models.database import Database, Session
from models.notifications import RELAY_AFTER, NewNotification
from models.numberline import hold
from models.subscriptions import subscribe
from tests.models.conftest import NOW

Step = Callable[[Session, Sequence[str]], object]

ROUNDS = 6  # a wrong order deadlocks in most of them
MANY = 400

_titles = count()


def accept(session: Session, keys: Sequence[str]) -> object:
    return notifications.accept(session, [NewNotification("shop", "offer", "t", idempotency_key=k) for k in keys], NOW)


def deliver(session: Session, people: Sequence[str]) -> object:
    new = NewNotification("shop", "offer", str(next(_titles)), recipients=tuple(people))
    return delivery.deliver(session, notifications.accept(session, [new], NOW), NOW).changes


def deliver_to_each(session: Session, people: Sequence[str]) -> object:
    new = [NewNotification("shop", "offer", "t", recipients=(one,)) for one in people]
    return delivery.deliver(session, notifications.accept(session, new, NOW), NOW).changes


STEPS: dict[str, Step] = {
    "open inboxes": lambda session, people: inbox.open_inboxes(session, people, NOW),
    "subscribe": lambda session, people: subscribe(session, "boots", people, NOW),
    "accept with keys": accept,
    "deliver one to many": deliver,
    "deliver many": deliver_to_each,
    "hold": hold,
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("there", [False, True], ids=["new", "known"])
def test_in_opposite_orders_at_once_neither_fails(postgres: Database, step: Step, there: bool) -> None:
    for turn in range(ROUNDS):
        names = [f"{0 if there else turn} {n:03}" for n in range(MANY)]
        ready = Barrier(2)

        def run(given: Sequence[str], ready: Barrier = ready) -> None:
            with postgres.write() as session:
                ready.wait()
                step(session, given)

        with ThreadPoolExecutor(2) as pool:
            for one in [pool.submit(run, given) for given in (names, names[::-1])]:
                one.result()


def deliver_them(session: Session, ids: Sequence[UUID]) -> int:
    return len(delivery.deliver(session, ids, NOW).changes)


def withdraw_them(session: Session, ids: Sequence[UUID]) -> int:
    return len(withdrawal.withdraw_named(session, ids, NOW).changes)


@pytest.mark.parametrize("step", [deliver_them, withdraw_them])
def test_two_workers_with_the_same_notifications_wait_for_each_other(
    postgres: Database, step: Callable[[Session, Sequence[UUID]], int]
) -> None:
    new = [NewNotification("shop", "offer", "t", recipients=(f"{n}",)) for n in range(MANY)]
    for _ in range(ROUNDS):
        with postgres.write() as session:
            ids = notifications.accept(session, new, NOW)
            if step is withdraw_them:
                delivery.deliver(session, ids, NOW)
                for id_ in ids:
                    notifications.cancel(session, "shop", id_, NOW)
        ready = Barrier(2)

        def run(given: Sequence[UUID], ready: Barrier = ready) -> int:
            with postgres.write() as session:
                ready.wait()
                return step(session, given)

        with ThreadPoolExecutor(2) as pool:
            assert sum(pool.map(run, (ids, ids[::-1]))) == MANY


def test_a_tick_of_the_relay_passes_by_what_another_has_in_hand(postgres: Database) -> None:
    new = [NewNotification("shop", "offer", "t", recipients=(f"{n}",)) for n in range(5)]
    later = NOW + RELAY_AFTER
    with postgres.write() as session:
        ids = notifications.accept(session, new, NOW)
    with postgres.write() as one, postgres.write() as other:
        other.execute(text("SET LOCAL lock_timeout = '5s'"))
        assert notifications.due(one, later, 2).deliver == ids[:2]
        assert notifications.due(other, later, 10).deliver == ids[2:]

"""Receipts: counted at once for small audiences, cached for large ones, and final when a notification ends."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import update

from models.db.database import Database
from models.delivery import withdraw as withdrawal
from models.inbox import marking
from models.inbox.marking import Selection
from models.inbox.rendering import Change, timestamp
from models.limits import COUNTED_AT_ONCE
from models.notifications import cancel as cancel_module
from models.notifications import published, receipts
from models.notifications.receipts import ReceiptCounts
from models.schema.notifications import notifications as rows
from tests.models.conftest import NOW

Accept = Callable[..., UUID]
Deliver = Callable[..., list[Change]]
Numbers = tuple[int, int, str | None]

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
A_MINUTE = timedelta(minutes=1)
LATER = NOW + A_MINUTE


def numbers(database: Database, id_: UUID, now: datetime = LATER) -> Numbers:
    with database.snapshot() as conn:
        found = published.one(conn, "shop", id_, now)
    assert found is not None
    return found["seen"], found["read"], found["counted_at"]


def mark(database: Database, owner: str, change: str, now: datetime = NOW) -> None:
    with database.transaction() as conn:
        marking.mark(conn, owner, change, Selection(through=100), now=now)


def say_that_many_have_it(database: Database, id_: UUID) -> None:
    with database.transaction() as conn:
        conn.execute(update(rows).where(rows.c.id == id_).values(delivered_count=COUNTED_AT_ONCE + 1))


def due(database: Database, now: datetime) -> list[UUID]:
    with database.snapshot() as conn:
        return receipts.due(conn, now)


def count_again(database: Database, id_: UUID, now: datetime) -> None:
    with database.snapshot() as conn:
        counted = receipts.count(conn, id_, now)
    keep(database, id_, counted)


def keep(database: Database, id_: UUID, counted: ReceiptCounts) -> None:
    with database.transaction() as conn:
        receipts.store(conn, id_, counted)


def withdraw(database: Database, id_: UUID, size: int, now: datetime) -> bool:
    with database.transaction() as conn:
        return withdrawal.withdraw(conn, id_, size, now).finished


def cancel(database: Database, id_: UUID, now: datetime) -> None:
    with database.transaction() as conn:
        assert cancel_module.cancel(conn, "shop", id_, now)


@pytest.fixture
def five_have_it(accept: Accept, deliver: Deliver) -> UUID:
    id_ = accept(recipients=PEOPLE)
    deliver(id_)
    return id_


@pytest.fixture
def many_have_it(database: Database, five_have_it: UUID) -> UUID:
    """By its row alone."""
    say_that_many_have_it(database, five_have_it)
    return five_have_it


def test_what_few_have_is_counted_whenever_its_producer_asks(database: Database, five_have_it: UUID) -> None:
    for owner, change, counted in (("alice", "seen", (1, 0)), ("bob", "read", (2, 1)), ("bob", "archived", (2, 1))):
        mark(database, owner, change)
        assert numbers(database, five_have_it) == (*counted, timestamp(LATER))
    with database.transaction() as conn:
        marking.set_state(conn, "bob", 1, now=NOW, read=False)
    assert numbers(database, five_have_it) == (2, 0, timestamp(LATER))
    assert due(database, NOW + timedelta(days=1)) == []


def test_what_many_have_is_told_as_of_the_last_count(database: Database, many_have_it: UUID) -> None:
    mark(database, "alice", "seen")
    assert numbers(database, many_have_it) == (0, 0, timestamp(NOW)), "when it was accepted nobody had it"
    count_again(database, many_have_it, LATER)
    mark(database, "bob", "read")
    assert numbers(database, many_have_it, LATER + A_MINUTE) == (1, 0, timestamp(LATER))
    count_again(database, many_have_it, LATER + A_MINUTE)
    assert numbers(database, many_have_it, LATER + A_MINUTE) == (2, 1, timestamp(LATER + A_MINUTE))


def test_many_are_more_than_ten_thousand(database: Database, five_have_it: UUID) -> None:
    for count, is_large in ((COUNTED_AT_ONCE, False), (COUNTED_AT_ONCE + 1, True)):
        with database.transaction() as conn:
            conn.execute(update(rows).values(delivered_count=count))
        assert due(database, LATER) == [five_have_it] * is_large
        assert (numbers(database, five_have_it)[2] == timestamp(LATER)) is not is_large


def test_it_is_counted_every_minute_at_first_and_then_when_it_is_a_tenth_older(
    database: Database, many_have_it: UUID
) -> None:
    assert due(database, NOW) == [many_have_it]
    minutes = []
    with database.transaction() as conn:  # one transaction: a day has many minutes
        for minute in range(60 * 24):
            if receipts.due(conn, NOW + minute * A_MINUTE):
                receipts.store(conn, many_have_it, receipts.count(conn, many_have_it, NOW + minute * A_MINUTE))
                minutes.append(minute)
    assert minutes[:10] == list(range(10)), "every minute of the first ten"
    assert max(now - last for last, now in pairwise(minutes)) <= 60 * 24 / 10
    assert len(minutes) < 80


def test_what_is_scheduled_is_as_old_as_its_delivery(database: Database, accept: Accept, deliver: Deliver) -> None:
    delivered_at = NOW + timedelta(days=10)
    id_ = accept(recipients=PEOPLE, deliver_at=delivered_at)
    deliver(id_, now=delivered_at)
    say_that_many_have_it(database, id_)
    count_again(database, id_, delivered_at)
    assert due(database, delivered_at + A_MINUTE - timedelta(seconds=1)) == []
    assert due(database, delivered_at + A_MINUTE) == [id_]


def test_what_was_to_be_delivered_in_the_past_is_as_old_as_it_is(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=PEOPLE, deliver_at=NOW - timedelta(days=365))
    deliver(id_)
    say_that_many_have_it(database, id_)
    count_again(database, id_, NOW)
    assert due(database, LATER) == [id_]


def test_who_waits_for_longest_is_counted_first(database: Database, accept: Accept, deliver: Deliver) -> None:
    ids = [accept(recipients=(person,)) for person in PEOPLE[:3]]
    deliver(*ids)
    for id_, seconds in zip(ids, (20, 0, 10), strict=True):
        say_that_many_have_it(database, id_)
        count_again(database, id_, NOW + timedelta(seconds=seconds))
    assert due(database, NOW + timedelta(seconds=75)) == [ids[1], ids[2]]


def test_a_count_that_was_overtaken_by_a_later_one_is_dropped(database: Database, many_have_it: UUID) -> None:
    keep(database, many_have_it, ReceiptCounts(4, 3, LATER + A_MINUTE))
    keep(database, many_have_it, ReceiptCounts(2, 1, LATER))
    assert numbers(database, many_have_it) == (4, 3, timestamp(LATER + A_MINUTE))


@pytest.mark.parametrize("ends_by", ["recall", "expiry"])
def test_the_last_count_is_taken_before_it_leaves_the_first_inbox_and_stays(
    database: Database, accept: Accept, deliver: Deliver, ends_by: str
) -> None:
    id_ = accept(recipients=PEOPLE, expires_at=LATER if ends_by == "expiry" else None)
    deliver(id_)
    for owner, change in (("alice", "read"), ("bob", "seen"), ("erin", "read")):
        mark(database, owner, change)
    if ends_by == "recall":
        cancel(database, id_, LATER)
    finished, now = False, LATER
    while not finished:
        finished, now = withdraw(database, id_, 2, now), now + A_MINUTE
        mark(database, "dave", "read", now)
        assert numbers(database, id_, now) == (3, 2, timestamp(LATER))
    cancel(database, id_, now)
    withdraw(database, id_, 2, now)
    assert numbers(database, id_, now) == (3, 2, timestamp(LATER))


def test_those_withdrawn_together_keep_their_numbers_each_its_own(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    ids = [accept(recipients=PEOPLE[:size]) for size in (1, 3, 5)]
    deliver(*ids)
    for owner, change in (("alice", "read"), ("bob", "seen")):
        mark(database, owner, change)
    for id_ in ids:
        cancel(database, id_, LATER)
    withdraw(database, ids[2], 2, LATER)  # it has begun to go by steps
    with database.transaction() as conn:
        withdrawal.withdraw_named(conn, ids, LATER + A_MINUTE)
    at = [timestamp(LATER + A_MINUTE), timestamp(LATER + A_MINUTE), timestamp(LATER)]
    assert [numbers(database, id_) for id_ in ids] == [(1, 1, at[0]), (2, 1, at[1]), (2, 1, at[2])]


def test_what_many_have_is_counted_a_last_time_by_its_withdrawal_alone(database: Database, many_have_it: UUID) -> None:
    mark(database, "alice", "read")
    count_again(database, many_have_it, NOW)
    mark(database, "bob", "read")
    with database.snapshot() as conn:
        meanwhile = receipts.count(conn, many_have_it, LATER + A_MINUTE)
    cancel(database, many_have_it, LATER)
    assert due(database, LATER + timedelta(days=1)) == []
    keep(database, many_have_it, meanwhile)
    assert numbers(database, many_have_it) == (1, 1, timestamp(NOW))
    withdraw(database, many_have_it, 2, LATER)
    assert numbers(database, many_have_it) == (2, 2, timestamp(LATER))


def test_what_has_expired_is_counted_by_its_withdrawal_alone(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=PEOPLE, expires_at=LATER)
    deliver(id_)
    say_that_many_have_it(database, id_)
    mark(database, "alice", "read")
    withdraw(database, id_, 2, LATER)
    assert due(database, LATER) == []
    count_again(database, id_, LATER + A_MINUTE)
    assert numbers(database, id_) == (1, 1, timestamp(LATER))


def test_a_worker_whose_clock_is_behind_counts_once_all_the_same(database: Database, many_have_it: UUID) -> None:
    mark(database, "alice", "read")
    cancel(database, many_have_it, LATER)
    for seconds in (10, 9, 8):
        withdraw(database, many_have_it, 2, LATER - timedelta(seconds=seconds))
        assert numbers(database, many_have_it)[:2] == (1, 1)


def test_what_is_recalled_while_it_expires_is_not_counted_again_half_way(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=PEOPLE, expires_at=LATER)
    deliver(id_)
    mark(database, "alice", "read")
    withdraw(database, id_, 2, LATER)
    cancel(database, id_, LATER + A_MINUTE)
    withdraw(database, id_, 2, LATER + A_MINUTE)
    assert numbers(database, id_) == (1, 1, timestamp(LATER))

"""A fan-out goes on in parts, side by side: each recipient once, whoever else is at it, and whoever dies of it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

import pytest
from sqlalchemy import select

from models.db.database import Database
from models.delivery import fanout
from models.delivery import withdraw as withdrawal
from models.delivery.fanout import PARTS, Chunk
from models.inbox.versions import lock_inboxes
from models.notifications import accept, cancel, relay
from models.notifications import published as history
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER
from models.schema.delivery import fanouts
from models.subscriptions import subscribe
from tests.models.conftest import NOW
from tests.models.locks import wait_until_blocked

PEOPLE = [f"{n:03}" for n in range(100)]
SIZE = 10


@pytest.fixture
def to_topic(database: Database) -> UUID:
    """A notification for a hundred people."""
    return published(database)


def published(database: Database) -> UUID:
    with database.transaction() as conn:
        subscribe(conn, "boots", PEOPLE, NOW)
        return accept.accept(conn, [NewNotification("shop", "offer", "Boots", topic="boots")], NOW)[0]


def step(database: Database, id_: UUID, size: int = SIZE) -> Chunk:
    with database.transaction() as conn:
        return fanout.fan_out(conn, id_, size, NOW)


def names(*chunks: Chunk) -> list[str]:
    """Whom the chunks delivered to or withdrew from."""
    return [
        name
        for chunk in chunks
        for name in (*chunk.items.recipients, *(change.recipient_id for change in chunk.changes))
    ]


def to_the_end(database: Database, id_: UUID) -> list[str]:
    reached: list[str] = []
    finished = False
    while not finished:
        chunk = step(database, id_)
        reached, finished = reached + names(chunk), chunk.finished
    return reached


def status(database: Database, id_: UUID) -> tuple[str, int]:
    with database.snapshot() as conn:
        shown = history.one(conn, "shop", id_, NOW)
        assert shown is not None
        return shown["status"], shown["delivered"]


def test_the_first_chunk_says_how_many_may_be_made_side_by_side(database: Database, to_topic: UUID) -> None:
    first = step(database, to_topic)
    assert (names(first), first.finished, first.parallelism) == (PEOPLE[:SIZE], False, PARTS)
    assert step(database, to_topic).parallelism == 1
    assert status(database, to_topic) == ("delivering", 2 * SIZE)


def test_a_small_audience_is_one_chunk_and_its_own_end(database: Database, to_topic: UUID) -> None:
    only = step(database, to_topic, size=len(PEOPLE) + 1)
    assert (names(only), only.finished, only.parallelism) == (PEOPLE, True, 1)
    assert status(database, to_topic) == ("delivered", len(PEOPLE))
    assert step(database, to_topic) == Chunk([], finished=True)


def test_who_comes_while_it_goes_on_is_reached_in_any_part_that_is_not_past(database: Database, to_topic: UUID) -> None:
    step(database, to_topic)
    late = ["0000", "0990", "zoë ☂", "\U0010ffff"]
    with database.transaction() as conn:
        subscribe(conn, "boots", late, NOW)
    assert set(late) - set(to_the_end(database, to_topic)) == {"0000"}


def test_who_dies_before_the_commit_has_delivered_to_nobody(database: Database, to_topic: UUID) -> None:
    first = step(database, to_topic)
    for _ in range(2):
        with suppress(ZeroDivisionError), database.transaction() as conn:
            fanout.fan_out(conn, to_topic, SIZE, NOW)
            raise ZeroDivisionError
    assert sorted(names(first) + to_the_end(database, to_topic)) == PEOPLE
    assert status(database, to_topic) == ("delivered", len(PEOPLE))


def test_eight_workers_that_begin_at_once_reach_everybody_once(postgres: Database) -> None:
    for _ in range(5):
        id_, together = published(postgres), threading.Barrier(8)

        def work(_: int, id_: UUID = id_, together: threading.Barrier = together) -> list[str]:
            together.wait()
            return to_the_end(postgres, id_)

        with ThreadPoolExecutor(8) as pool:
            reached = [one for part in pool.map(work, range(8)) for one in part]
        assert sorted(reached) == PEOPLE
        assert status(postgres, id_) == ("delivered", len(PEOPLE))


def test_workers_side_by_side_wait_for_each_other_only_to_count(postgres: Database) -> None:
    id_ = published(postgres)
    first = step(postgres, id_)
    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            here = fanout.fan_out(conn, id_, SIZE, NOW)
            beside = pool.submit(step, postgres, id_)
            wait_until_blocked(postgres, "UPDATE notifications")
        reached = names(first, here, beside.result())
    assert reached == [*PEOPLE[: 2 * SIZE], *PEOPLE[25 : 25 + SIZE]]
    assert status(postgres, id_) == ("delivering", 3 * SIZE)


def test_of_two_that_end_at_a_time_the_later_one_ends_it_all(postgres: Database) -> None:
    id_, half = published(postgres), len(PEOPLE) // 2
    first = step(postgres, id_, size=half - 1)
    assert first.parallelism == 2
    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            here = fanout.fan_out(conn, id_, half, NOW)
            beside = pool.submit(step, postgres, id_, half + 1)
            wait_until_blocked(postgres, "UPDATE notifications")
        assert (names(here), here.finished) == (PEOPLE[half - 1 : half], False)
        assert (names(beside.result()), beside.result().finished) == (PEOPLE[half:], True)
    assert status(postgres, id_) == ("delivered", len(PEOPLE))


def test_the_last_to_end_may_be_any_part(postgres: Database) -> None:
    id_ = published(postgres)
    step(postgres, id_)
    with postgres.transaction() as conn:
        first_part = select(fanouts).where(fanouts.c.notification_id == id_, fanouts.c.part == 0)
        conn.execute(first_part.with_for_update())
        assert to_the_end(postgres, id_) == PEOPLE[25:]
    assert status(postgres, id_) == ("delivering", 85)
    last = step(postgres, id_, size=15)
    assert (names(last), last.finished) == (PEOPLE[10:25], True)
    assert status(postgres, id_) == ("delivered", len(PEOPLE))


def test_who_comes_to_begin_when_another_ends_it_delivers_nothing(postgres: Database) -> None:
    id_ = published(postgres)
    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            all_of_it = fanout.fan_out(conn, id_, len(PEOPLE) + 1, NOW)
            late = pool.submit(step, postgres, id_)
            wait_until_blocked(postgres, "INSERT INTO fanouts")
        assert (len(all_of_it.items), all_of_it.finished) == (len(PEOPLE), True)
        assert late.result() == Chunk([], finished=True)
    assert status(postgres, id_) == ("delivered", len(PEOPLE))


def test_a_withdrawal_waits_for_the_chunk_that_is_being_written(postgres: Database) -> None:
    id_ = published(postgres)
    first = step(postgres, id_)

    def withdraw() -> Chunk:
        with postgres.transaction() as conn:
            return withdrawal.withdraw(conn, id_, len(PEOPLE) + 1, NOW)

    with ThreadPoolExecutor(2) as pool:
        with postgres.transaction() as conn:
            lock_inboxes(conn, PEOPLE[SIZE : SIZE + 1])
            chunk = pool.submit(step, postgres, id_)
            wait_until_blocked(postgres, "\nWITH given")
            with postgres.transaction() as other:
                assert cancel.cancel(other, "shop", id_, NOW)
            withdrawn = pool.submit(withdraw)
            wait_until_blocked(postgres, "SELECT notifications")
        assert names(first, chunk.result()) == names(withdrawn.result()) == PEOPLE[: 2 * SIZE]
    assert step(postgres, id_) == Chunk([], finished=True)


def test_who_cancels_while_the_last_chunk_is_written_has_it_withdrawn(postgres: Database) -> None:
    id_ = published(postgres)
    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            lock_inboxes(conn, PEOPLE[:1])
            last = pool.submit(step, postgres, id_, len(PEOPLE) + 1)
            wait_until_blocked(postgres, "\nWITH given")
            with postgres.transaction() as other:
                assert cancel.cancel(other, "shop", id_, NOW)
        assert last.result().finished
    with postgres.transaction() as conn:
        assert relay.due(conn, NOW + RELAY_AFTER, 10).withdraw == [id_]
        assert names(withdrawal.withdraw(conn, id_, len(PEOPLE) + 1, NOW)) == PEOPLE

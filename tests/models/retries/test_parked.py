"""What cannot be done is tried a bounded number of times, ever longer apart, and then parked; nothing else is."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, select, text, update

from models.db.database import Database, DatabaseUnavailable
from models.delivery import deliver as delivery
from models.delivery import fanout, withdraw
from models.inbox.rendering import Change, Rendered
from models.notifications import accept as notifications
from models.notifications import cancel, published, relay
from models.notifications.conditions import RELAY_AFTER
from models.notifications.relay import Due
from models.retries import parked as parking
from models.retries.errors import PermanentError, classify_errors
from models.retries.parked import ATTEMPTS
from models.schema.notifications import notifications as rows
from models.subscriptions import subscribe
from tests.models.conftest import NOW

Accept = Callable[..., UUID]
Deliver = Callable[..., list[Change]]
Items = Callable[..., list[Rendered]]

A_DAY = timedelta(days=1)
BROKEN = ("bob", "bob")  # the API refuses to name one twice; so does the schema
WHY = PermanentError("a reason")


def row_of(database: Database, id_: UUID) -> Row[Any]:
    with database.snapshot() as conn:
        return conn.execute(select(rows).where(rows.c.id == id_)).one()


def turn(database: Database, now: datetime) -> Due:
    with database.transaction() as conn:
        return relay.due(conn, now, 100)


def begin(database: Database, *ids: UUID, now: datetime = NOW) -> list[list[UUID]]:
    """Those that are to be tried together, and each that is to be tried alone."""
    with database.transaction() as conn:
        begun = parking.claim_attempts(conn, ids, now)
    return [some for some in (begun.together, *([one] for one in begun.alone)) if some]


def fail(database: Database, id_: UUID, now: datetime = NOW, *, counted: bool = False) -> bool:
    with database.transaction() as conn:
        return parking.record_failure(conn, id_, WHY, now, counted=counted)


def fanned_out_to_one(database: Database, accept: Accept, *people: str, **said: Any) -> UUID:
    """For all of these people; the first has it."""
    with database.transaction() as conn:
        subscribe(conn, "boots", people, NOW)
    id_ = accept(topic="boots", **said)
    with database.transaction() as conn:
        fanout.fan_out(conn, id_, 1, NOW)
    return id_


def park(database: Database, id_: UUID, now: datetime = NOW) -> datetime:
    """Let every attempt fail, at the turns that the relay gives it; answers when it was parked."""
    parked = fail(database, id_, now)
    while not parked:
        now = row_of(database, id_).enqueue_at
        assert id_ in turn(database, now).redelivered
        assert begin(database, id_, now=now) == [[id_]]
        parked = fail(database, id_, now, counted=True)
    return now


def refuse(database: Database, step: Callable[..., object], *ids: object) -> str:
    with pytest.raises(PermanentError) as refusal, classify_errors(), database.transaction() as conn:
        step(conn, *ids, NOW)
    return str(refusal.value)


def test_it_is_tried_six_times_within_two_minutes_and_then_parked(database: Database, accept: Accept) -> None:
    id_ = accept(recipients=("bob",))
    parked_at = park(database, id_)
    row = row_of(database, id_)
    assert (row.attempts, row.last_error, row.parked_at) == (ATTEMPTS, "a reason", parked_at)
    assert parked_at == NOW + timedelta(seconds=80)


def test_the_relay_and_late_messages_leave_what_is_parked_alone(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    id_ = accept(recipients=("bob",))
    wide = accept(everyone=True)
    for one in (id_, wide):
        park(database, one)
    assert turn(database, NOW + 365 * A_DAY) == Due([], [])
    assert begin(database, id_, wide) == []
    assert deliver(id_, wide) == []
    with database.transaction() as conn:
        assert fanout.fan_out(conn, wide, 10, NOW).finished
    assert fail(database, id_) is False
    assert items_of("bob") == []


def test_it_is_gauged_as_parked_and_no_longer_as_undelivered(database: Database, accept: Accept) -> None:
    parked, waiting = accept(recipients=("bob",)), accept(recipients=("bob",))
    park(database, parked)
    with database.snapshot() as conn:
        assert parking.count(conn) == 1
        assert relay.undelivered(conn, NOW).count == 1
        shown = published.one(conn, "shop", parked, NOW)
        assert shown is not None
        assert shown["status"] == "accepted"
        assert published.one(conn, "shop", waiting, NOW) is not None


def test_a_doubled_message_is_no_further_attempt(database: Database, accept: Accept) -> None:
    id_ = accept(recipients=("bob",))
    for _ in range(2 * ATTEMPTS):
        assert fail(database, id_) is False
    assert row_of(database, id_).attempts == 1
    assert begin(database, id_) == []
    assert row_of(database, id_).attempts == 1


def test_what_kills_its_worker_each_time_is_parked_all_the_same(database: Database, accept: Accept) -> None:
    """An attempt that ends its process writes nothing but what was written before it."""
    killer, now, tries = accept(recipients=("bob",)), NOW, 0
    while row_of(database, killer).parked_at is None:
        now = row_of(database, killer).enqueue_at
        if killer in turn(database, now).redelivered:
            tries += len(begin(database, killer, now=now))
            assert begin(database, killer, now=now) == [], "its message came back and was tried at once"
    assert tries == ATTEMPTS
    assert row_of(database, killer).last_error == parking.DIED
    assert now - NOW < timedelta(minutes=4)


def test_who_was_beside_it_when_it_died_is_tried_without_it(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    well, killer, new = (accept(recipients=("bob",)) for _ in range(3))
    assert begin(database, well, killer) == [[well, killer]]
    turn(database, NOW + timedelta(seconds=5))
    assert begin(database, well, killer, new) == [[new], [well], [killer]]
    deliver(well)
    assert row_of(database, well).attempts == 0


def test_waiting_in_a_long_queue_is_no_attempt(database: Database, accept: Accept, deliver: Deliver) -> None:
    id_, now = accept(recipients=("bob",)), NOW
    for _ in range(50):
        now = row_of(database, id_).enqueue_at
        assert turn(database, now).deliver == [id_]
    assert row_of(database, id_).attempts == 0
    assert begin(database, id_, now=now) == [[id_]]
    assert len(deliver(id_, now=now)) == 1


def test_an_attempt_that_the_world_ended_is_taken_back(database: Database, accept: Accept) -> None:
    id_, now = accept(recipients=("bob",)), NOW
    for _ in range(3 * ATTEMPTS):
        now = row_of(database, id_).enqueue_at
        turn(database, now)
        assert begin(database, id_, now=now) == [[id_]]
        with database.transaction() as conn:
            parking.refund_attempts(conn, [id_])
    row = row_of(database, id_)
    assert (row.attempts, row.parked_at) == (0, None)


def test_what_another_worker_has_in_hand_is_left_to_it(postgres: Database) -> None:
    new = notifications.NewNotification("shop", "offer", "Boots", recipients=("bob",))
    with postgres.transaction() as conn:
        [id_] = notifications.accept(conn, [new], NOW)
    with postgres.transaction() as other:
        assert len(delivery.deliver(other, [id_], NOW).items) == 1
        assert begin(postgres, id_) == []
    assert row_of(postgres, id_).attempts == 0


def test_progress_begins_the_count_anew(database: Database, accept: Accept, deliver: Deliver) -> None:
    with database.transaction() as conn:
        subscribe(conn, "boots", ["alice", "bob", "carol"], NOW)
    id_ = accept(topic="boots")
    fail(database, id_)
    with database.transaction() as conn:
        assert not fanout.fan_out(conn, id_, 1, NOW).finished
    row = row_of(database, id_)
    assert (row.attempts, row.enqueued) == (0, 0)


def test_progress_of_a_withdrawal_does_so_too(database: Database, accept: Accept, deliver: Deliver) -> None:
    id_ = accept(recipients=("alice", "bob"))
    deliver(id_)
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", id_, NOW)
    for finished in (False, False, True):
        fail(database, id_)
        with database.transaction() as conn:
            assert withdraw.withdraw(conn, id_, 1, NOW).finished is finished
        assert row_of(database, id_).attempts == 0


def test_a_fan_out_is_parked_where_it_is_and_goes_on_from_there(
    database: Database, accept: Accept, items_of: Items
) -> None:
    id_ = fanned_out_to_one(database, accept, "alice", "bob", "carol")
    park(database, id_)
    with database.transaction() as conn:
        shown = published.one(conn, "shop", id_, NOW)
        assert shown is not None
        assert (shown["status"], shown["delivered"]) == ("delivering", 1)
        assert parking.retry(conn, [id_], NOW) == [id_]
        chunks = [fanout.fan_out(conn, id_, 10, NOW) for _ in range(2)]
    assert [recipient for chunk in chunks for recipient in chunk.items.recipients] == ["bob", "carol"]
    assert [len(items_of(one)) for one in ("alice", "bob", "carol")] == [1, 1, 1]


def test_a_withdrawal_is_parked_like_a_delivery(database: Database, accept: Accept, deliver: Deliver) -> None:
    id_ = accept(recipients=("bob",))
    deliver(id_)
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", id_, NOW)
    park(database, id_)
    assert turn(database, NOW + A_DAY) == Due([], [])
    with database.transaction() as conn:
        assert withdraw.withdraw(conn, id_, 10, NOW).changes == []
        assert parking.retry(conn, [id_], NOW) == [id_]
        assert len(withdraw.withdraw(conn, id_, 10, NOW).changes) == 1
        assert parking.count(conn) == 0


@pytest.mark.parametrize("end", ["expires", "is cancelled"])
def test_what_ends_while_it_is_parked_is_withdrawn(
    database: Database, accept: Accept, end: str, items_of: Items
) -> None:
    id_ = fanned_out_to_one(database, accept, "alice", "bob", expires_at=NOW + A_DAY)
    park(database, id_)
    assert turn(database, NOW + A_DAY / 2) == Due([], [])
    if end == "is cancelled":
        with database.transaction() as conn:
            cancel.cancel(conn, "shop", id_, NOW)
    assert turn(database, NOW + A_DAY) == Due([], [id_])
    assert row_of(database, id_).attempts == 0, "that is another step"
    with database.transaction() as conn:
        assert withdraw.withdraw(conn, id_, 10, NOW + A_DAY).finished
        assert parking.count(conn) == 0
    assert items_of("alice") == []


def test_what_expires_after_its_last_attempt_has_all_attempts_to_be_withdrawn(
    database: Database, accept: Accept, items_of: Items
) -> None:
    """The last attempt took its worker along, and it would have been parked at its next turn."""
    id_ = fanned_out_to_one(database, accept, "alice", "bob", expires_at=NOW + A_DAY)
    for _ in range(ATTEMPTS - 1):
        now = row_of(database, id_).enqueue_at
        turn(database, now)
        assert begin(database, id_, now=now) == [[id_]]
    now = NOW + A_DAY - timedelta(seconds=1)
    turn(database, now)
    assert begin(database, id_, now=now) == [[id_]]
    assert row_of(database, id_).attempts == ATTEMPTS

    due = turn(database, NOW + A_DAY)
    assert (due, due.redelivered) == (Due([], [id_]), frozenset())
    row = row_of(database, id_)
    assert (row.attempts, row.enqueued, row.enqueue_at) == (0, 1, NOW + A_DAY + RELAY_AFTER)
    assert begin(database, id_, now=NOW + A_DAY) == [[id_]]
    assert id_ in turn(database, row.enqueue_at).redelivered
    assert row_of(database, id_).attempts == 1, "it is the same step"
    with database.transaction() as conn:
        assert withdraw.withdraw(conn, id_, 10, row.enqueue_at).finished
    assert items_of("alice") == []


def test_the_schemas_refusal_is_the_notifications_fault_and_names_no_value(database: Database, accept: Accept) -> None:
    said = refuse(database, delivery.deliver, [accept(recipients=BROKEN, title="my secret")])
    assert "Unique" in said or "UNIQUE" in said
    assert "uq_inbox_items_notification_id_recipient_id" in said or "inbox_items.notification_id" in said
    assert " at models/" in said
    assert "bob" not in said


def test_a_bug_is_the_notifications_fault_and_is_told_without_what_it_says() -> None:
    with pytest.raises(PermanentError) as refusal, classify_errors():
        dict[str, str]()["my secret"]
    assert str(refusal.value) == "KeyError"


SHUTDOWN = "DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{}'; END $$"
WORLD = {
    "deadlock": SHUTDOWN.format("40P01"),
    "serialization": SHUTDOWN.format("40001"),
    "lock timeout": SHUTDOWN.format("55P03"),
    "disk full": SHUTDOWN.format("53100"),
    "shutdown": SHUTDOWN.format("57P01"),
    "canceled": SHUTDOWN.format("57014"),
    "standby": "SET TRANSACTION READ ONLY; DELETE FROM inboxes",
    "not migrated": "SELECT not_there FROM inboxes",
    "no rights": SHUTDOWN.format("42501"),
}
OWN = {
    "data": SHUTDOWN.format("22021"),
    "limit": SHUTDOWN.format("54000"),
    "trigger": SHUTDOWN.format("P0001"),
    "check": SHUTDOWN.format("23514"),
}


def test_whose_fault_an_error_is(postgres: Database) -> None:
    def blamed(statement: str) -> bool:
        try:
            with classify_errors(), postgres.transaction() as conn:
                conn.execute(text(statement))
        except PermanentError:
            return True
        except Exception:
            return False
        raise AssertionError("it was well")

    assert {name for name, statement in (WORLD | OWN).items() if blamed(statement)} == set(OWN)


def test_a_database_that_is_away_is_nobodys_fault() -> None:
    database = Database("postgresql+psycopg://belfry@127.0.0.1:1/belfry")
    with pytest.raises(DatabaseUnavailable), classify_errors(), database.transaction():
        pass


def parked_ones(database: Database, accept: Accept, count: int) -> list[UUID]:
    ids = [accept(recipients=("bob",), kind=f"kind {n}") for n in range(count)]
    for n, id_ in enumerate(ids):
        with database.transaction() as conn:
            parked = NOW + timedelta(seconds=n // 2)  # some at the same moment
            conn.execute(
                update(rows).where(rows.c.id == id_).values(parked_at=parked, enqueue_at=None, attempts=ATTEMPTS)
            )
    return ids


def test_they_are_listed_page_by_page_those_parked_longest_first(database: Database, accept: Accept) -> None:
    ids = parked_ones(database, accept, 5)
    accept(recipients=("bob",))
    found: list[parking.Parked] = []
    while True:
        with database.snapshot() as conn:
            page = parking.page(conn, found[-1] if found else None, 2)
        if not page:
            break
        found += page
    assert [one.id for one in found] == ids
    assert {(one.producer_id, one.step, one.attempts) for one in found} == {("shop", "deliver", ATTEMPTS)}


def test_retried_they_have_their_turn_at_once_and_all_attempts_again(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    first, second, _third = parked_ones(database, accept, 3)
    well = accept(recipients=("bob",))
    with database.transaction() as conn:
        assert parking.retry(conn, [first, second, well], NOW) == [first, second]
    due = turn(database, NOW)
    assert (due.deliver, due.redelivered) == ([first, second], frozenset())
    assert fail(database, first) is False
    assert len(deliver(second)) == 1


def test_dropped_they_are_cancelled_and_withdrawn_at_the_next_turn(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    first, _second = parked_ones(database, accept, 2)
    well = accept(recipients=("bob",))
    with database.transaction() as conn:
        assert parking.drop(conn, [first, well], NOW) == [first]
        shown = published.one(conn, "shop", first, NOW)
        assert shown is not None
        assert shown["status"] == "cancelled"
        assert parking.count(conn) == 1
    assert turn(database, NOW) == Due([], [first])
    assert deliver(first) == []


def test_a_withdrawal_cannot_be_dropped(database: Database, accept: Accept, deliver: Deliver) -> None:
    """It would leave in the inboxes what its producer took back."""
    id_ = accept(recipients=("bob",))
    deliver(id_)
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", id_, NOW)
    park(database, id_)
    with database.transaction() as conn:
        assert parking.drop(conn, [id_], NOW) == []
        [one] = parking.page(conn, None, 10)
    assert one.step == "withdraw"

"""Notifications that are due and make no progress count as stalled; those that wait on purpose do not."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text, update

from models.db.database import Database
from models.delivery import fanout
from models.notifications import accept as notifications
from models.notifications import cancel
from models.notifications import relay as relay_module
from models.notifications.stalled import STALLED_AFTER, Stalled, stalled
from models.retries import parked as parking
from models.retries.errors import PermanentError
from models.schema.notifications import notifications as rows
from models.subscriptions import subscribe
from tests.models.conftest import NOW
from tests.models.plans import look

Accept = Callable[..., UUID]
LATER = NOW + STALLED_AFTER
MANY_HOURS = timedelta(hours=9)


def found(database: Database, seconds: float) -> Stalled:
    with database.autocommit() as conn:
        return stalled(conn, NOW + timedelta(seconds=seconds))


def relay(database: Database, seconds: float) -> None:
    """Beat and a worker that relays are running; deliveries may not be."""
    with database.transaction() as conn:
        relay_module.due(conn, NOW + timedelta(seconds=seconds), 100)


def fail(database: Database, id_: UUID, seconds: float) -> None:
    with database.transaction() as conn:
        parking.record_failure(conn, id_, PermanentError("a reason"), NOW + timedelta(seconds=seconds), counted=False)


def parked(database: Database) -> int:
    with database.autocommit() as conn:
        return parking.count(conn)


def fan_out(database: Database, id_: UUID, seconds: float) -> None:
    with database.transaction() as conn:
        fanout.fan_out(conn, id_, 1, NOW + timedelta(seconds=seconds))


def test_what_nobody_enqueues_is_stalled_after_half_a_minute(database: Database, accept: Accept) -> None:
    accept(recipients=["bob"])
    assert found(database, 29).count == 0
    assert found(database, 31) == Stalled(1, 31.0)


def test_what_is_enqueued_again_and_again_and_never_delivered_is_stalled(database: Database, accept: Accept) -> None:
    accept(recipients=["bob"])
    accept(topic="boots")
    for seconds in (5, 15):
        relay(database, seconds)
    assert found(database, 31).count == 2


def test_what_is_delivered_cancelled_expired_or_scheduled_is_not_stalled(
    database: Database, accept: Accept, deliver: Callable[..., object]
) -> None:
    deliver(accept(recipients=["bob"]))
    cancelled = accept(recipients=["bob"])
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", cancelled, NOW)
    accept(recipients=["bob"], expires_at=NOW + timedelta(seconds=10))
    accept(recipients=["bob"], deliver_at=NOW + MANY_HOURS)
    assert found(database, 60).count == 0
    assert found(database, MANY_HOURS.total_seconds() + 29).count == 0
    assert found(database, MANY_HOURS.total_seconds() + 31) == Stalled(1, 31.0)


def test_what_waits_between_two_attempts_or_is_parked_is_not_stalled(database: Database, accept: Accept) -> None:
    id_ = accept(recipients=["bob"])
    fail(database, id_, 0)
    for turn in (5, 10, 20, 40, 80):
        assert found(database, turn - 1).count == 0
        relay(database, turn)
        assert found(database, turn + 1).count == 0
        fail(database, id_, turn + 1)
    assert parked(database) == 1
    assert found(database, 3600).count == 0


def test_what_failed_once_and_is_never_tried_again_is_stalled(database: Database, accept: Accept) -> None:
    """As when its worker died in the attempt, and no other took its place."""
    id_ = accept(recipients=["bob"])
    fail(database, id_, 0)
    assert found(database, 34).count == 0
    assert found(database, 36).count == 1
    for turn in (5, 10, 20):
        relay(database, turn)
    assert found(database, 31).count == 1


def test_a_broadcast_that_moves_is_not_stalled_however_long_it_takes(database: Database, accept: Accept) -> None:
    with database.transaction() as conn:
        subscribe(conn, "boots", [f"user-{n}" for n in range(20)], NOW)
    id_ = accept(topic="boots")
    for seconds in range(0, 100, 10):
        fan_out(database, id_, seconds)
        assert found(database, seconds + 9).count == 0
    assert found(database, 90 + 31).count == 1
    relay(database, 90 + 31)
    assert found(database, 90 + 32).count == 1


def test_to_look_reads_what_is_due_and_not_what_is_scheduled(postgres: Database) -> None:
    with postgres.transaction() as conn:
        new = notifications.NewNotification(producer_id="shop", kind="k", title="t", recipients=("bob",))
        notifications.accept(conn, [new] * 3_000, NOW)
        conn.execute(update(rows).values(deliver_at=NOW + MANY_HOURS, enqueue_at=NOW + MANY_HOURS))
    with postgres.transaction() as conn:
        notifications.accept(conn, [new] * 10, NOW)
        conn.execute(text("ANALYZE notifications"))
    looks = look(postgres, lambda conn: stalled(conn, LATER + timedelta(seconds=1)))
    assert max(one.rows_read for one in looks) == 10


def test_what_is_held_back_in_a_batch_by_what_is_tried_again_is_not_stalled(database: Database) -> None:
    new = [notifications.NewNotification("shop", "offer", "t", recipients=("bob",), batch="a digest")] * 3
    with database.transaction() as conn:
        ids = notifications.accept(conn, new, NOW)
    assert found(database, 31).count == 3
    fail(database, ids[0], 1)
    assert found(database, 31).count == 0

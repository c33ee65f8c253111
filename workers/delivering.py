"""Delivering what names its recipients: what is wrong, or has to wait, holds up nothing that need not wait for it."""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

from lib import failpoints
from lib.group_commit import GroupCommit
from models.db.database import DatabaseUnavailable, Locked, is_away
from models.delivery import batch_order, broadcasts
from models.delivery import deliver as delivery
from models.retries.errors import Unfit, blaming
from workers import attempts
from workers.celery import app, database
from workers.locked_inboxes import HeldInboxes
from workers.queues import CONCURRENCY, DELIVER, FAN_OUT
from workers.telling import tell

THREADS_MAX = 1_000  # of a worker: each waits for one delivery at the most

log = logging.getLogger(__name__)


def attempt(ids: list[UUID], *, counted: bool) -> None:
    """Deliver them; what is wrong with one of them does not hold up the others."""
    try:
        if counted:
            attempts.forgive(_deliver(ids))  # not with others: should it kill the worker, they would be blamed as well
        else:
            deliveries.do(ids)
    except Unfit as error:
        if len(ids) == 1:
            fail(ids[0], error, counted=counted)
            return
        for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            attempt(half, counted=counted)
    except Locked:
        leave_locked(ids, counted=counted)
    except Exception:
        if counted:
            attempts.forgive(ids)
        raise


def fail(notification_id: UUID, error: Unfit, *, counted: bool) -> None:
    """Keep why an attempt failed. What is parked by it holds back nothing of its batch any more."""
    if attempts.fail(notification_id, error, counted=counted):
        go_on_after([notification_id])


def leave_locked(ids: Collection[UUID], *, counted: bool) -> None:
    """Nobody waits for longer than the database's patience for locks: the relay tries again."""
    log.warning("locked count=%d", len(ids))
    with suppress(DatabaseUnavailable):  # they themselves may be held; then they come back later
        held_inboxes.come_back_soon(ids)
    if counted:
        attempts.forgive(ids)


def go_on_after(ids: Collection[UUID]) -> None:
    """Enqueue what these may have held back."""
    with _best_effort():
        with database.glance() as session:
            batches = batch_order.batches_of(session, ids)
        _enqueue_next(batches)


def go_on(batches: Collection[UUID]) -> None:
    """Enqueue what waits in these batches and may go now."""
    with _best_effort():
        _enqueue_next(batches)


@contextmanager
def _best_effort() -> Iterator[None]:
    """What is not enqueued here has a turn of its own by the relay; the task at hand has done its work."""
    try:
        yield
    except Exception as error:
        log.warning("batch_not_enqueued reason=%s", type(error).__name__)


def _enqueue_next(batches: Collection[UUID]) -> None:
    if not batches:
        return
    with database.read() as session:
        free = batch_order.next_of(session, batches, datetime.now(UTC))
    for again in (False, True):
        direct = [str(one) for one in free.direct if (one in free.again) is again]
        if direct:
            app.send_task(DELIVER, [direct], {"again": again})
    for one in free.wide:
        app.send_task(FAN_OUT, [str(one)], {"again": one in free.again})


def _deliver_together(batches: Sequence[list[UUID]]) -> list[None]:
    _deliver([one for batch in batches for one in batch])
    return [None for _ in batches]


# What is to be delivered while a delivery is under way shares the next; each task ends when its own are committed.
deliveries = GroupCommit(_deliver_together, max_size=CONCURRENCY, max_waiting=THREADS_MAX, is_outage=is_away)
held_inboxes = HeldInboxes(database)


def _deliver(ids: list[UUID]) -> set[UUID]:
    """Answers which of them wait: for an inbox that somebody holds, for what is before them in their batch, or for a
    fan-out.
    """
    left = held_inboxes.pass_by(ids)
    waiting, behind, batches = set(ids) - set(left), list[UUID](), set[UUID]()
    ordered = False
    while left:
        try:
            with blaming(), database.write_at_once() as session:
                delivered = delivery.deliver(session, left, datetime.now(UTC), ordered=ordered)
        except Locked:
            free = held_inboxes.meet(left)
            if len(free) == len(left):  # it was no inbox, or was let go meanwhile
                raise
            waiting |= set(left) - set(free)
            left, ordered = free, False  # what is left out now may hold back others
            continue
        _announce(delivered)
        left, behind = delivered.left, behind + delivered.behind
        waiting |= set(delivered.wide)
        batches |= set(delivered.batches)
        if behind and not left:
            free = _free(behind)
            waiting |= set(behind) - set(free)
            left, behind, ordered = free, [], True
    go_on(batches)
    return waiting


def _announce(delivered: delivery.Delivery) -> None:
    failpoints.reached(failpoints.DELIVERED)
    tell(delivered.changes)
    failpoints.reached(failpoints.ANNOUNCED)
    for notification_id in _first(delivered.wide):
        app.send_task(FAN_OUT, [str(notification_id)])


def _first(wide: list[UUID]) -> list[UUID]:
    """Of these broadcasts the first of each batch: each one that ends has the next enqueued."""
    if len(wide) <= 1:
        return wide
    with database.read() as session:
        return broadcasts.leading(session, wide, datetime.now(UTC)).first


def _free(behind: list[UUID]) -> list[UUID]:
    """Which of these nothing holds back; of the others the first comes back soon."""
    with database.read() as session:
        found = batch_order.order_of(session, behind, datetime.now(UTC))
    if found.first_held:
        held_inboxes.come_back_soon(found.first_held)
    return found.direct

"""Delivering what names its recipients: what is wrong, or has to wait, holds up nothing that need not wait for it."""

import logging
from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from lib import failpoints
from lib.group_commit import GroupCommit
from models.db.database import DatabaseUnavailable, Locked, is_away
from models.delivery import batch_order, broadcasts
from models.delivery import deliver as delivery
from models.delivery.batch_order import Order
from models.retries.errors import PermanentError, classify_errors
from models.retries.parked import ClaimedAttempts
from workers import attempts
from workers.announcing import announce_items
from workers.celery import app, database
from workers.followers import batches_of, enqueue_followers, followers_enqueued
from workers.locked_inboxes import LockedInboxes
from workers.queues import CONCURRENCY, FAN_OUT

THREADS_MAX = 1_000  # of a worker: each waits for one delivery at the most

log = logging.getLogger(__name__)


def deliver(ids: list[UUID], *, counted: bool, redelivered: bool = False) -> None:
    """Deliver them; what is wrong with one of them does not hold up the others. Then enqueue what they held back.

    `redelivered`: the worker that had them may have delivered them, and died before it enqueued what they held back.
    """
    with followers_enqueued() as batches:
        batches.update(batches_of(ids if redelivered else []))
        if counted:
            _attempt_again(ids, batches)
        else:
            _attempt(ids, batches, counted=False)


def claim(ids: list[UUID], batches: set[UUID]) -> ClaimedAttempts:
    """Count attempts. To `batches` are added those of notifications that had used all attempts and are parked."""
    claimed = attempts.claim(ids)
    batches |= batches_of(claimed.parked)
    return claimed


def record_failure(notification_id: UUID, error: PermanentError, batches: set[UUID], *, counted: bool) -> None:
    """Keep why an attempt failed. What is parked by it holds back nothing any more: its batch is added to `batches`."""
    if attempts.record_failure(notification_id, error, counted=counted):
        batches |= batches_of([notification_id])


def _attempt_again(ids: list[UUID], batches: set[UUID]) -> None:
    """Deliver what was tried before, as each attempt is counted beforehand."""
    claimed = claim(locked_inboxes.skip_locked(ids), batches)
    _attempt_all([claimed.together] if claimed.together else [], batches, counted=True, later=claimed.alone)
    _attempt_each(claimed.alone, batches)


def _attempt_each(ids: list[UUID], batches: set[UUID]) -> None:
    """Deliver each alone. What is held back is found once for all of them, and again after one that did not arrive."""
    left = ids
    try:
        while left:
            found = _free(left)
            attempts.refund(set(left) - set(found.direct))
            for one in found.broadcasts:
                app.send_task(FAN_OUT, [str(one)], {"again": True})
            left = found.direct
            arrived = True
            while left and arrived:
                one, left = left[0], left[1:]
                arrived = _attempt([one], batches, counted=True, ordered=True)
    except Exception:
        attempts.refund(left)
        raise


def _attempt_all(portions: list[list[UUID]], batches: set[UUID], *, counted: bool, later: Sequence[UUID] = ()) -> None:
    """Deliver one portion after the other. Where that ends early, the attempts that were not made are taken back."""
    left = [*[one for portion in portions for one in portion], *later]
    for portion in portions:
        left = left[len(portion) :]
        try:
            _attempt(portion, batches, counted=counted)
        except Exception:
            attempts.refund(left if counted else [])
            raise


def _attempt(ids: list[UUID], batches: set[UUID], *, counted: bool, ordered: bool = False) -> bool:
    """Answers whether all of them arrived, as far as that is known."""
    try:
        if not counted:
            batches |= deliveries.do(ids)
            return True
        waiting = _deliver(ids, batches, ordered=ordered)
        attempts.refund(waiting)  # not with others: should it kill the worker, they would be blamed as well
        return not waiting
    except PermanentError as error:
        if len(ids) == 1:
            record_failure(ids[0], error, batches, counted=counted)
        else:
            _attempt_all([ids[: len(ids) // 2], ids[len(ids) // 2 :]], batches, counted=counted)
    except Locked:
        leave_locked(ids, counted=counted)
    except Exception:
        attempts.refund(ids if counted else [])
        raise
    return False


def leave_locked(ids: Collection[UUID], *, counted: bool) -> None:
    """Nobody waits for longer than the database's patience for locks: the relay tries again."""
    log.warning("locked count=%d", len(ids))
    with suppress(DatabaseUnavailable):  # they themselves may be held; then they come back later
        locked_inboxes.reschedule(ids)
    if counted:
        attempts.refund(ids)


def _deliver_together(groups: Sequence[list[UUID]]) -> list[set[UUID]]:
    """The batches in which something arrived are answered once, to the first of those who share this."""
    batches = set[UUID]()
    try:
        _deliver([one for group in groups for one in group], batches)
    except Exception:
        enqueue_followers(batches)
        raise
    return [batches, *(set[UUID]() for _ in groups[1:])]


# What is to be delivered while a delivery is under way shares the next; each task ends when its own are committed.
deliveries = GroupCommit(_deliver_together, max_size=CONCURRENCY, max_waiting=THREADS_MAX, is_outage=is_away)
locked_inboxes = LockedInboxes(database)


def _deliver(ids: list[UUID], batches: set[UUID], *, ordered: bool = False) -> set[UUID]:
    """Answers which of them wait: for an inbox that somebody holds, for what is before them in their batch, or for a
    fan-out. To `batches` are added those in which something arrived.
    """
    left = locked_inboxes.skip_locked(ids)
    waiting, behind = set(ids) - set(left), list[UUID]()
    while left:
        try:
            with classify_errors(), database.autocommit_write() as conn:
                delivered = delivery.deliver(conn, left, datetime.now(UTC), ordered=ordered)
        except Locked:
            free = locked_inboxes.remember_locked(left)
            if len(free) == len(left):  # it was no inbox, or was let go meanwhile
                raise
            waiting |= set(left) - set(free)
            left, ordered = free, False  # what is left out now may hold back others
            continue
        _announce(delivered)
        left, behind = delivered.left, behind + delivered.behind
        waiting |= set(delivered.broadcasts)
        batches |= set(delivered.batches)
        if behind and not left:
            free = _free(behind).direct
            waiting |= set(behind) - set(free)
            left, behind, ordered = free, [], True
    return waiting


def _announce(delivered: delivery.Delivery) -> None:
    failpoints.reached(failpoints.DELIVERED)
    announce_items(delivered.items)
    failpoints.reached(failpoints.ANNOUNCED)
    for notification_id in _first(delivered.broadcasts):
        app.send_task(FAN_OUT, [str(notification_id)])


def _first(wide: list[UUID]) -> list[UUID]:
    """Of these broadcasts the first of each batch: each one that ends has the next enqueued."""
    if len(wide) <= 1:
        return wide
    with database.snapshot() as conn:
        return broadcasts.leading(conn, wide, datetime.now(UTC)).first


def _free(behind: list[UUID]) -> Order:
    """Which of these nothing holds back; of the others the first comes back soon."""
    with database.snapshot() as conn:
        found = batch_order.order_of(conn, behind, datetime.now(UTC))
    if found.first_held:
        locked_inboxes.reschedule(found.first_held)
    return found

"""Delivers direct notifications. Neither a permanent error of one nor a locked inbox holds up the others."""

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
from models.delivery.outcome import Delivery
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
    """Deliver these; then enqueue the notifications of their batches that waited for them.

    `counted`: claim each attempt before it is made. `redelivered`: the worker that had this message may have delivered
    them, and died before it enqueued those that waited.
    """
    with followers_enqueued() as batches:
        batches.update(batches_of(ids if redelivered else []))
        if counted:
            _attempt_again(ids, batches)
        else:
            _attempt(ids, batches, counted=False)


def claim(ids: list[UUID], batches: set[UUID]) -> ClaimedAttempts:
    """Claim attempts. Adds the batches of notifications that are parked by this to `batches`."""
    claimed = attempts.claim(ids)
    batches |= batches_of(claimed.parked)
    return claimed


def record_failure(notification_id: UUID, error: PermanentError, batches: set[UUID], *, counted: bool) -> None:
    """Record why an attempt failed. If that parks the notification, add its batch to `batches`."""
    if attempts.record_failure(notification_id, error, counted=counted):
        batches |= batches_of([notification_id])


def _attempt_again(ids: list[UUID], batches: set[UUID]) -> None:
    """Deliver notifications that were enqueued before: their attempts are claimed first."""
    claimed = claim(locked_inboxes.skip_locked(ids), batches)
    _attempt_all([claimed.together] if claimed.together else [], batches, counted=True, later=claimed.alone)
    _attempt_each(claimed.alone, batches)


def _attempt_each(ids: list[UUID], batches: set[UUID]) -> None:
    """Deliver each alone, since it may have killed its worker.

    Those that wait for others of their batch are found once for all, and again after one that was not delivered.
    """
    remaining = ids
    try:
        while remaining:
            found = _free(remaining)
            attempts.refund(set(remaining) - set(found.direct))
            for one in found.broadcasts:
                app.send_task(FAN_OUT, [str(one)], {"again": True})
            remaining = found.direct
            arrived = True
            while remaining and arrived:
                one, remaining = remaining[0], remaining[1:]
                arrived = _attempt([one], batches, counted=True, ordered=True)
    except Exception:
        attempts.refund(remaining)
        raise


def _attempt_all(groups: list[list[UUID]], batches: set[UUID], *, counted: bool, later: Sequence[UUID] = ()) -> None:
    """Deliver one group after the other. If an error ends that early, refund the attempts that were not made."""
    remaining = [*[one for group in groups for one in group], *later]
    for group in groups:
        remaining = remaining[len(group) :]
        try:
            _attempt(group, batches, counted=counted)
        except Exception:
            attempts.refund(remaining if counted else [])
            raise


def _attempt(ids: list[UUID], batches: set[UUID], *, counted: bool, ordered: bool = False) -> bool:
    """Deliver these, by halves after a permanent error. Returns whether all were delivered, as far as that is known."""
    try:
        if not counted:
            batches |= deliveries.do(ids)
            return True
        waiting = _deliver(ids, batches, ordered=ordered)
        attempts.refund(waiting)  # at once: a later attempt that kills the worker would be counted for these too
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
    """The lock timeout has expired: leave these to the relay."""
    log.warning("locked count=%d", len(ids))
    with suppress(DatabaseUnavailable):  # their rows may be locked too; then the relay enqueues them later
        locked_inboxes.reschedule(ids)
    if counted:
        attempts.refund(ids)


def _deliver_together(groups: Sequence[list[UUID]]) -> list[set[UUID]]:
    """Deliver what several tasks want. Only the first of them gets the batches whose followers are to be enqueued."""
    batches = set[UUID]()
    try:
        _deliver([one for group in groups for one in group], batches)
    except Exception:
        enqueue_followers(batches)
        raise
    return [batches, *(set[UUID]() for _ in groups[1:])]


# Deliveries that arrive while one is under way share the next. Each task ends when its own are committed.
deliveries = GroupCommit(_deliver_together, max_size=CONCURRENCY, max_waiting=THREADS_MAX, is_outage=is_away)
locked_inboxes = LockedInboxes(database)


def _deliver(ids: list[UUID], batches: set[UUID], *, ordered: bool = False) -> set[UUID]:
    """Answers which of them wait: for an inbox that somebody holds, for what is before them in their batch, or for a
    fan-out. To `batches` are added those in which something arrived.
    """
    remaining = locked_inboxes.skip_locked(ids)
    waiting, behind = set(ids) - set(remaining), list[UUID]()
    while remaining:
        try:
            with classify_errors(), database.autocommit_write() as conn:
                delivered = delivery.deliver(conn, remaining, datetime.now(UTC), ordered=ordered)
        except Locked:
            free = locked_inboxes.remember_locked(remaining)
            if len(free) == len(remaining):  # the lock was not on an inbox, or is released by now
                raise
            waiting |= set(remaining) - set(free)
            remaining, ordered = free, False  # the ones left out may hold back others
            continue
        _announce(delivered)
        remaining, behind = delivered.remaining, behind + delivered.behind
        waiting |= set(delivered.broadcasts)
        batches |= set(delivered.batches)
        if behind and not remaining:
            free = _free(behind).direct
            waiting |= set(behind) - set(free)
            remaining, behind, ordered = free, [], True
    return waiting


def _announce(delivered: Delivery) -> None:
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

"""The tasks. Each is thin: store, commit, announce. They take ids, never content."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from celery import Task

from lib import failpoints
from lib.group_commit import GroupCommit
from models import arrival, delivery, fanout, inbox, notifications, parking, tally, upkeep, withdrawal
from models.blame import Unfit, blaming
from models.database import DatabaseUnavailable, Locked, Session, is_away
from models.fanout import Chunk
from models.notifications import Due
from models.rendering import Change, render_arrived
from push.announcer import AnnounceFailed
from push.wire import Announcement, Arrivals
from workers.celery import announcer, app, database, retention
from workers.held import HeldInboxes
from workers.queues import ANNOUNCE, CONCURRENCY, DELIVER, FAN_OUT, RELAY, UPKEEP, WITHDRAW, WITHDRAW_NAMED

log = logging.getLogger(__name__)

CHUNK = 500  # recipients in one transaction: their inboxes are locked for some tens of milliseconds
FANOUT_CHUNK = 2_000  # what arrives is written quicker
THREADS_MAX = 1_000  # of a worker: each waits for one delivery at the most
RELAY_AT_MOST = 5_000  # notifications a tick: an overload is not fed
RELAY_BATCH = 1_000  # in one transaction: their rows are locked for some tens of milliseconds
RELAY_TOGETHER = 200  # notifications a task
UPKEEP_BATCH = 500  # rows in one transaction
COUNTING_SECONDS = 30  # of every minute; what is due then is counted next time


@app.task(name=DELIVER, bind=True)
def deliver(self: Task, ids: list[str], again: bool = False) -> None:
    """Write the items of these notifications and announce them; what is for many is left to fan-outs.

    `again` says of these three tasks that it was enqueued before: then each attempt is counted before it is made.
    """
    wanted = [UUID(one) for one in ids]
    if not (again or _came_back(self)):
        _attempt(wanted, counted=False)
        return
    for portion in _begin(held_inboxes.pass_by(wanted)):
        _attempt(portion, counted=True)


@app.task(name=FAN_OUT, bind=True)
def fan_out(self: Task, notification_id: str, again: bool = False) -> None:
    """Deliver to the next of a topic's recipients, or of all; after a kill it goes on where it was."""
    is_resumed = again or _came_back(self)  # then who else was at it may be gone; a task too many finds nothing to do
    chunk = _one_chunk(fanout.fan_out, UUID(notification_id), FANOUT_CHUNK, counted=is_resumed)
    for _ in range(0 if chunk.finished else fanout.PARTS if is_resumed else chunk.abreast):
        fan_out.delay(notification_id)  # other threads, or other workers, write the next while these are announced
    tell(chunk.changes)


@app.task(name=WITHDRAW, bind=True)
def withdraw(self: Task, notification_id: str, again: bool = False) -> None:
    """Take what is recalled or expired out of the next inboxes that hold it."""
    chunk = _one_chunk(withdrawal.withdraw, UUID(notification_id), CHUNK, counted=again or _came_back(self))
    if not chunk.finished:
        withdraw.delay(notification_id)
    tell(chunk.changes)


@app.task(name=WITHDRAW_NAMED, bind=True)
def withdraw_named(self: Task, ids: list[str]) -> None:
    """Take these out of all inboxes together; where that fails, each is tried for itself, and blamed for itself."""
    left = [UUID(one) for one in ids]
    if _came_back(self):
        _withdraw_each(left, again=True)
        return
    while left:
        try:
            with blaming(), database.write() as session:
                withdrawn = withdrawal.withdraw_named(session, left, datetime.now(UTC))
        except (Unfit, Locked):
            _withdraw_each(left, again=False)
            return
        tell(withdrawn.changes)
        left = withdrawn.left


def _withdraw_each(ids: Sequence[UUID], *, again: bool) -> None:
    for one in ids:
        withdraw.delay(str(one), again=again)


@app.task(name=ANNOUNCE)
def announce(recipient_id: str, versions: list[int]) -> None:
    """Tell a recipient's other devices what one of them changed."""
    with database.read() as session:
        changes = inbox.change_log(session, recipient_id, versions)
    tell(changes)


@app.task(name=RELAY)
def relay() -> None:
    """Enqueue what was accepted and is not delivered, what has become due, and what has expired."""
    now = datetime.now(UTC)
    for _ in range(0, RELAY_AT_MOST, RELAY_BATCH):
        with database.write() as session:
            due = notifications.due(session, now, RELAY_BATCH)
        _relay(due)
        if len(due.deliver) + len(due.withdraw) < RELAY_BATCH:
            return


def _relay(due: Due) -> None:
    for again in (False, True):
        narrow = [str(one) for one in due.deliver if one not in due.wide and (one in due.again) is again]
        for start in range(0, len(narrow), RELAY_TOGETHER):
            deliver.delay(narrow[start : start + RELAY_TOGETHER], again=again)
    for one in due.deliver:
        if one in due.wide:
            fan_out.delay(str(one), again=one in due.again)
    together = [str(one) for one in due.withdraw if one not in due.wide and one not in due.again]
    for start in range(0, len(together), RELAY_TOGETHER):
        withdraw_named.delay(together[start : start + RELAY_TOGETHER])
    for one in due.withdraw:
        if one in due.wide or one in due.again:
            withdraw.delay(str(one), again=one in due.again)
    if due.deliver or due.withdraw:
        log.info("relayed deliver=%d withdraw=%d", len(due.deliver), len(due.withdraw))


@app.task(name=UPKEEP)
def forget() -> None:
    """Forget what is older than its retention, a batch at a time; then count who saw and read what many have."""
    for step in (upkeep.expire_old, upkeep.delete_old, upkeep.forget_changes, upkeep.forget_revocations):
        forgotten = UPKEEP_BATCH
        while forgotten == UPKEEP_BATCH:
            with database.write() as session:
                forgotten = step(session, retention, datetime.now(UTC), UPKEEP_BATCH)
    _count_large()


def _count_large() -> None:
    """How many saw and read what many have; it holds no lock while it counts."""
    with database.read() as session:
        due = tally.due(session, datetime.now(UTC))
    enough = time.monotonic() + COUNTING_SECONDS
    while due and time.monotonic() < enough:
        one = due.pop(0)
        with database.read() as session:
            counted = tally.count(session, one, datetime.now(UTC))
        with database.write() as session:
            tally.keep(session, one, counted)


def _came_back(task: Task) -> bool:
    """Whether a worker that had this message died or went away: the message may be what it died of."""
    return bool((task.request.delivery_info or {}).get("redelivered"))


def _attempt(ids: list[UUID], *, counted: bool) -> None:
    """Deliver them; what is wrong with one of them does not hold up the others."""
    try:
        if counted:
            _forgive(_deliver(ids))  # not with others: should it kill the worker, they would be blamed as well
        else:
            deliveries.do(ids)
    except Unfit as error:
        if len(ids) == 1:
            _fail(ids[0], error, counted=counted)
            return
        for half in (ids[: len(ids) // 2], ids[len(ids) // 2 :]):
            _attempt(half, counted=counted)
    except Locked:
        _leave_locked(ids, counted=counted)
    except Exception:
        if counted:
            _forgive(ids)
        raise


def _deliver_together(batches: Sequence[list[UUID]]) -> list[None]:
    _deliver([one for batch in batches for one in batch])
    return [None for _ in batches]


# What is to be delivered while a delivery is under way shares the next; each task ends when its own are committed.
deliveries = GroupCommit(_deliver_together, max_size=CONCURRENCY, max_waiting=THREADS_MAX, is_outage=is_away)
held_inboxes = HeldInboxes(database)


def _deliver(ids: list[UUID]) -> list[UUID]:
    """Answers which of them wait, as somebody holds an inbox that they are to come into."""
    left = held_inboxes.pass_by(ids)
    waiting = set(ids) - set(left)
    while left:
        try:
            with blaming(), database.write_at_once() as session:
                delivered = delivery.deliver(session, left, datetime.now(UTC))
        except Locked:
            free = held_inboxes.meet(left)
            if len(free) == len(left):  # it was no inbox, or was let go meanwhile
                raise
            waiting |= set(left) - set(free)
            left = free
            continue
        failpoints.reached(failpoints.DELIVERED)
        tell(delivered.changes)
        failpoints.reached(failpoints.ANNOUNCED)
        for notification_id in delivered.wide:
            fan_out.delay(str(notification_id))
        left = delivered.left
    return list(waiting)


def _leave_locked(ids: list[UUID], *, counted: bool) -> None:
    """Nobody waits for longer than the database's patience for locks: the relay tries again."""
    log.warning("locked count=%d", len(ids))
    with suppress(DatabaseUnavailable):  # they themselves may be held; then they come back later
        held_inboxes.come_back_soon(ids)
    if counted:
        _forgive(ids)


def _one_chunk(
    step: Callable[[Session, UUID, int, datetime], Chunk], notification_id: UUID, size: int, *, counted: bool
) -> Chunk:
    """It says whether no other is wanted now. A task takes one, so that single notifications never wait behind many."""
    if counted and not _begin([notification_id]):
        return Chunk([], finished=True)
    try:
        with blaming(), database.write() as session:
            return step(session, notification_id, size, datetime.now(UTC))
    except Unfit as error:
        _fail(notification_id, error, counted=counted)
        return Chunk([], finished=True)
    except Locked:
        _leave_locked([notification_id], counted=counted)
        return Chunk([], finished=True)
    except Exception:
        if counted:
            _forgive([notification_id])
        raise


def _begin(ids: list[UUID]) -> list[list[UUID]]:
    with database.write() as session:
        return parking.begin(session, ids, datetime.now(UTC))


def _fail(notification_id: UUID, error: Unfit, *, counted: bool) -> None:
    with database.write() as session:
        parked = parking.fail(session, notification_id, error, datetime.now(UTC), counted=counted)
    log.error("%s id=%s error=%s", "parked" if parked else "attempt_failed", notification_id, error)


def _forgive(ids: list[UUID]) -> None:
    """Where the database is gone as well the count stays: then the attempt ended like one that took it along."""
    if ids:
        with suppress(DatabaseUnavailable), database.write() as session:
            parking.forgive(session, ids)


def tell(changes: Sequence[Change]) -> None:
    """Announce changes that are committed. A lost announcement is found by the gap in the versions: never retried."""
    try:
        if isinstance(changes, arrival.Arrivals):
            announcer.announce_arrivals(_as_announced(changes))
        else:
            announcer.announce([Announcement(change.recipient_id, change.announced()) for change in changes])
    except AnnounceFailed as error:
        log.warning("announce_failed count=%d reason=%s", len(changes), error)


def _as_announced(arrivals: arrival.Arrivals) -> Arrivals:
    columns = vars(arrivals).copy()
    return Arrivals([render_arrived(content) for content in columns.pop("contents")], **columns)

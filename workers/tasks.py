"""The tasks. Each is thin: store, commit, announce. They take ids, never content."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from celery import Task

from models.db.database import Locked, Session
from models.delivery import broadcasts, fanout, locked
from models.delivery import withdraw as withdrawal
from models.delivery.fanout import Chunk
from models.inbox import reading
from models.notifications import relay as outbox
from models.notifications.relay import Due
from models.retries.errors import Unfit, blaming
from workers import attempts, delivering, maintenance
from workers.announcing import announce_changes, announce_items
from workers.celery import app, database
from workers.queues import ANNOUNCE, DELIVER, FAN_OUT, MAINTENANCE, RELAY, WITHDRAW, WITHDRAW_NAMED

log = logging.getLogger(__name__)

CHUNK = 500  # recipients in one transaction: their inboxes are locked for some tens of milliseconds
FANOUT_CHUNK = 2_000  # what arrives is written quicker
RELAY_AT_MOST = 5_000  # notifications a tick: an overload is not fed
RELAY_BATCH = 1_000  # in one transaction: their rows are locked for some tens of milliseconds
RELAY_TOGETHER = 200  # notifications a task; more only where they are of one batch


@app.task(name=DELIVER, bind=True)
def deliver(self: Task, ids: list[str], again: bool = False) -> None:
    """Write the items of these notifications and announce them; what is for many is left to fan-outs.

    `again` says of these three tasks that it was enqueued before: then each attempt is counted before it is made.
    """
    came_back = _came_back(self)
    delivering.deliver([UUID(one) for one in ids], counted=again or came_back, came_back=came_back)


@app.task(name=FAN_OUT, bind=True)
def fan_out(self: Task, notification_id: str, again: bool = False) -> None:
    """Deliver to the next of a topic's recipients, or of all; after a kill it goes on where it was."""
    is_resumed = again or _came_back(self)  # then who else was at it may be gone; a task too many finds nothing to do
    chunk = _one_chunk(fanout.fan_out, UUID(notification_id), FANOUT_CHUNK, counted=is_resumed)
    for _ in range(0 if chunk.finished else fanout.PARTS if is_resumed else chunk.abreast):
        fan_out.delay(notification_id)  # other threads, or other workers, write the next while these are announced
    announce_items(chunk.items)
    _go_on_after(self, chunk, notification_id)


@app.task(name=WITHDRAW, bind=True)
def withdraw(self: Task, notification_id: str, again: bool = False) -> None:
    """Take what is recalled or expired out of the next inboxes that hold it."""
    chunk = _one_chunk(withdrawal.withdraw, UUID(notification_id), CHUNK, counted=again or _came_back(self))
    if not chunk.finished:
        withdraw.delay(notification_id)
    announce_changes(chunk.changes)
    _go_on_after(self, chunk, notification_id)


@app.task(name=WITHDRAW_NAMED, bind=True)
def withdraw_named(self: Task, ids: list[str]) -> None:
    """Take these out of all inboxes together; where that fails, each is tried for itself, and blamed for itself."""
    left = [UUID(one) for one in ids]
    if _came_back(self):
        _withdraw_each(left, again=True)
        return
    with delivering.following() as batches:
        while left:
            try:
                with blaming(), database.write() as session:
                    withdrawn = withdrawal.withdraw_named(session, left, datetime.now(UTC))
            except (Unfit, Locked):
                _withdraw_each(left, again=False)
                return
            batches.update(withdrawn.batches)
            announce_changes(withdrawn.changes)
            left = withdrawn.left


def _withdraw_each(ids: Sequence[UUID], *, again: bool) -> None:
    for one in ids:
        withdraw.delay(str(one), again=again)


@app.task(name=ANNOUNCE)
def announce(recipient_id: str, versions: list[int]) -> None:
    """Tell a recipient's other devices what one of them changed."""
    with database.read() as session:
        changes = reading.change_log(session, recipient_id, versions)
    announce_changes(changes)


@app.task(name=RELAY)
def relay() -> None:
    """Enqueue what was accepted and is not delivered, what has become due, and what has expired."""
    attempts.settle()
    now = datetime.now(UTC)
    for _ in range(0, RELAY_AT_MOST, RELAY_BATCH):
        with database.write() as session:
            due = outbox.due(session, now, RELAY_BATCH)
            leading = broadcasts.leading(session, [one for one in due.deliver if one in due.broadcasts], now)
            locked.come_back_soon(session, leading.second, now)
        _relay(due, leading.first)
        if len(due.deliver) + len(due.withdraw) < RELAY_BATCH:
            return


def _relay(due: Due, wide: Sequence[UUID]) -> None:
    for again in (False, True):
        narrow = [one for one in due.deliver if one not in due.broadcasts and (one in due.redelivered) is again]
        for some in _cut(narrow, due.batches):
            deliver.delay([str(one) for one in some], again=again)
    for one in wide:
        fan_out.delay(str(one), again=one in due.redelivered)
    together = [str(one) for one in due.withdraw if one not in due.broadcasts and one not in due.redelivered]
    for start in range(0, len(together), RELAY_TOGETHER):
        withdraw_named.delay(together[start : start + RELAY_TOGETHER])
    for one in due.withdraw:
        if one in due.broadcasts or one in due.redelivered:
            withdraw.delay(str(one), again=one in due.redelivered)
    if due.deliver or due.withdraw:
        log.info("relayed deliver=%d withdraw=%d", len(due.deliver), len(due.withdraw))


def _cut(ids: Sequence[UUID], batches: Mapping[UUID, UUID]) -> Iterator[list[UUID]]:
    """Some for each task. A batch is not cut: its later parts would only wait for the first."""
    together: list[UUID] = []
    for _, some in groupby(ids, key=lambda one: batches.get(one, one)):
        together += some
        if len(together) >= RELAY_TOGETHER:
            yield together
            together = []
    if together:
        yield together


@app.task(name=MAINTENANCE)
def forget() -> None:
    """Forget what is older than its retention, a batch at a time; then count who saw and read what many have."""
    maintenance.run_steps()


def _go_on_after(task: Task, chunk: Chunk, notification_id: str) -> None:
    """Enqueue what waited for it. Who had a message that came back may have ended it, and died before it did so."""
    if chunk.ended:
        delivering.go_on([chunk.ended])
    elif chunk.finished and _came_back(task):
        delivering.go_on_after([UUID(notification_id)])


def _came_back(task: Task) -> bool:
    """Whether a worker that had this message died or went away: the message may be what it died of."""
    return bool((task.request.delivery_info or {}).get("redelivered"))


def _one_chunk(
    step: Callable[[Session, UUID, int, datetime], Chunk], notification_id: UUID, size: int, *, counted: bool
) -> Chunk:
    """It says whether no other is wanted now. A task takes one, so that single notifications never wait behind many."""
    with delivering.following() as batches:
        if counted and not delivering.begin([notification_id], batches).ids:
            return Chunk([], finished=True)
        try:
            with blaming(), database.write() as session:
                chunk = step(session, notification_id, size, datetime.now(UTC))
        except Unfit as error:
            delivering.fail(notification_id, error, batches, counted=counted)
            return Chunk([], finished=True)
        except Locked:
            delivering.leave_locked([notification_id], counted=counted)
            return Chunk([], finished=True)
        except Exception:
            attempts.forgive([notification_id] if counted else [])
            raise
    if chunk.held:
        attempts.forgive(chunk.held.held if counted else [])
        delivering.held_inboxes.come_back_soon(chunk.held.first_held)
    return chunk

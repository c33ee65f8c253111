"""The tasks. Each is thin: store, commit, announce. They take ids, never content."""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from models import delivery, failpoints, inbox, notifications, upkeep, withdrawal
from models.database import DatabaseUnavailable, Session
from models.delivery import Chunk
from models.rendering import Change
from push.announcer import AnnounceFailed
from push.wire import Announcement
from workers.celery import announcer, app, database, retention
from workers.queues import ANNOUNCE, DELIVER, FAN_OUT, RELAY, UPKEEP, WITHDRAW

log = logging.getLogger(__name__)

CHUNK = 500  # recipients in one transaction: their inboxes are locked for some tens of milliseconds
RELAY_AT_MOST = 5_000  # notifications a tick: an overload is not fed
RELAY_TOGETHER = 200  # notifications a task
UPKEEP_BATCH = 500  # rows in one transaction


@app.task(name=DELIVER)
def deliver(ids: list[str]) -> None:
    """Write the items of these notifications and announce them; what is for many is left to fan-outs."""
    try:
        _deliver([UUID(one) for one in ids])
    except DatabaseUnavailable:
        raise
    except Exception:
        if len(ids) == 1:
            raise
        log.exception("batch_failed count=%d", len(ids))
        for one in ids:  # what is wrong with one of them must not hold up the others
            deliver.delay([one])


@app.task(name=FAN_OUT)
def fan_out(notification_id: str) -> None:
    """Deliver to the next of a topic's recipients, or of all; after a kill it goes on where it was."""
    if not _one_chunk(delivery.fan_out, notification_id):
        fan_out.delay(notification_id)


@app.task(name=WITHDRAW)
def withdraw(notification_id: str) -> None:
    """Take what is recalled or expired out of the next inboxes that hold it."""
    if not _one_chunk(withdrawal.withdraw, notification_id):
        withdraw.delay(notification_id)


@app.task(name=ANNOUNCE)
def announce(recipient_id: str, versions: list[int]) -> None:
    """Tell a recipient's other devices what one of them changed."""
    with database.read() as session:
        changes = inbox.change_log(session, recipient_id, versions)
    tell(changes)


@app.task(name=RELAY)
def relay() -> None:
    """Enqueue what was accepted and is not delivered, what has become due, and what has expired."""
    with database.write() as session:
        due = notifications.due(session, datetime.now(UTC), RELAY_AT_MOST)
    for start in range(0, len(due.deliver), RELAY_TOGETHER):
        deliver.delay([str(one) for one in due.deliver[start : start + RELAY_TOGETHER]])
    for one in due.withdraw:
        withdraw.delay(str(one))
    if due.deliver or due.withdraw:
        log.info("relayed deliver=%d withdraw=%d", len(due.deliver), len(due.withdraw))


@app.task(name=UPKEEP)
def forget() -> None:
    """Forget what is older than its retention, a batch at a time."""
    for step in (upkeep.expire_old, upkeep.delete_old, upkeep.forget_changes, upkeep.forget_revocations):
        forgotten = UPKEEP_BATCH
        while forgotten == UPKEEP_BATCH:
            with database.write() as session:
                forgotten = step(session, retention, datetime.now(UTC), UPKEEP_BATCH)


def _deliver(ids: list[UUID]) -> None:
    left = ids
    while left:
        with database.write() as session:
            delivered = delivery.deliver(session, left, datetime.now(UTC))
        failpoints.reached(failpoints.DELIVERED)
        tell(delivered.changes)
        failpoints.reached(failpoints.ANNOUNCED)
        for notification_id in delivered.wide:
            fan_out.delay(str(notification_id))
        left = delivered.left


def _one_chunk(step: Callable[[Session, UUID, int, datetime], Chunk], notification_id: str) -> bool:
    """Whether it was the last. A task takes one, so that single notifications never wait behind many."""
    with database.write() as session:
        chunk = step(session, UUID(notification_id), CHUNK, datetime.now(UTC))
    tell(chunk.changes)
    return chunk.finished


def tell(changes: Sequence[Change]) -> None:
    """Announce changes that are committed. A lost announcement is found by the gap in the versions: never retried."""
    try:
        announcer.announce([Announcement(change.recipient_id, change.announced()) for change in changes])
    except AnnounceFailed as error:
        log.warning("announce_failed count=%d reason=%s", len(changes), error)

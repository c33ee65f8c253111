"""Takes recalled and expired notifications out of the inboxes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from celery import Task

from models.db.database import Locked
from models.delivery import withdraw as withdrawal
from models.retries.errors import PermanentError, classify_errors
from workers.announcing import announce_changes
from workers.celery import app, database
from workers.chunks import enqueue_followers_of, is_redelivered, run_chunk
from workers.followers import followers_enqueued
from workers.queues import WITHDRAW, WITHDRAW_NAMED

CHUNK = 500  # recipients in one transaction: their inboxes are locked for some tens of milliseconds


@app.task(name=WITHDRAW, bind=True)
def withdraw(self: Task, notification_id: str, again: bool = False) -> None:
    """Take a notification out of the next inboxes that hold it."""
    chunk = run_chunk(withdrawal.withdraw, UUID(notification_id), CHUNK, counted=again or is_redelivered(self))
    if not chunk.finished:
        withdraw.delay(notification_id)
    announce_changes(chunk.changes)
    enqueue_followers_of(self, chunk, notification_id)


@app.task(name=WITHDRAW_NAMED, bind=True)
def withdraw_named(self: Task, ids: list[str]) -> None:
    """Take these out of all inboxes together. Where that fails, each gets a task and its failure is its own."""
    left = [UUID(one) for one in ids]
    if is_redelivered(self):
        _withdraw_each(left, again=True)
        return
    with followers_enqueued() as batches:
        while left:
            try:
                with classify_errors(), database.transaction() as conn:
                    withdrawn = withdrawal.withdraw_named(conn, left, datetime.now(UTC))
            except (PermanentError, Locked):
                _withdraw_each(left, again=False)
                return
            batches.update(withdrawn.batches)
            announce_changes(withdrawn.changes)
            left = withdrawn.remaining


def _withdraw_each(ids: Sequence[UUID], *, again: bool) -> None:
    for one in ids:
        withdraw.delay(str(one), again=again)

"""The outbox relay: enqueues accepted notifications again whose task was lost, and those that became due or expired."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from models.delivery import broadcasts, locked
from models.notifications import relay as outbox
from models.notifications.relay import Due
from workers import attempts
from workers.celery import app, database
from workers.queues import RELAY
from workers.tasks.deliver import deliver
from workers.tasks.fan_out import fan_out
from workers.tasks.withdraw import withdraw, withdraw_named

log = logging.getLogger(__name__)

AT_MOST = 5_000  # notifications a tick: an overload is not fed
BATCH = 1_000  # in one transaction: their rows are locked for some tens of milliseconds
GROUP = 200  # notifications a task; more only where they are of one batch


@app.task(name=RELAY)
def relay() -> None:
    """Enqueue the next step of every notification that is due."""
    attempts.settle()
    now = datetime.now(UTC)
    for _ in range(0, AT_MOST, BATCH):
        with database.transaction() as conn:
            due = outbox.due(conn, now, BATCH)
            leading = broadcasts.leading(conn, [one for one in due.deliver if one in due.broadcasts], now)
            locked.reschedule(conn, leading.second, now)
        _enqueue(due, leading.first)
        if len(due.deliver) + len(due.withdraw) < BATCH:
            return


def _enqueue(due: Due, first_broadcasts: Sequence[UUID]) -> None:
    _enqueue_deliveries(due)
    for one in first_broadcasts:
        fan_out.delay(str(one), again=one in due.redelivered)
    _enqueue_withdrawals(due)
    if due.deliver or due.withdraw:
        log.info("relayed deliver=%d withdraw=%d", len(due.deliver), len(due.withdraw))


def _enqueue_deliveries(due: Due) -> None:
    for again in (False, True):
        direct = [one for one in due.deliver if one not in due.broadcasts and (one in due.redelivered) is again]
        for group in _groups(direct, due.batches):
            deliver.delay([str(one) for one in group], again=again)


def _enqueue_withdrawals(due: Due) -> None:
    alone = [one for one in due.withdraw if one in due.broadcasts or one in due.redelivered]
    together = [str(one) for one in due.withdraw if one not in set(alone)]
    for start in range(0, len(together), GROUP):
        withdraw_named.delay(together[start : start + GROUP])
    for one in alone:
        withdraw.delay(str(one), again=one in due.redelivered)


def _groups(ids: Sequence[UUID], batches: Mapping[UUID, UUID]) -> Iterator[list[UUID]]:
    """Ids for each task. A batch is never split: its later parts would only wait for the first."""
    group: list[UUID] = []
    for _, of_batch in groupby(ids, key=lambda one: batches.get(one, one)):
        group += of_batch
        if len(group) >= GROUP:
            yield group
            group = []
    if group:
        yield group

"""Followers: notifications of a batch that waited for others of it. They are enqueued when those end."""

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from models.delivery import batch_order
from workers.celery import app, database
from workers.queues import DELIVER, FAN_OUT

log = logging.getLogger(__name__)


@contextmanager
def followers_enqueued() -> Iterator[set[UUID]]:
    """When the block ends, enqueue the followers in the batches that it added to this set: each batch is read once."""
    batches = set[UUID]()
    try:
        yield batches
    finally:
        enqueue_followers(batches)


def batches_of(ids: Collection[UUID]) -> set[UUID]:
    """The batches of these notifications; none if the database does not answer."""
    batches = set[UUID]()
    if ids:
        with _best_effort(), database.autocommit() as conn:
            batches.update(batch_order.batches_of(conn, ids))
    return batches


def enqueue_followers(batches: Collection[UUID]) -> None:
    """Enqueue the notifications of these batches that may go now."""
    if batches:
        with _best_effort():
            _enqueue_next(batches)


@contextmanager
def _best_effort() -> Iterator[None]:
    """The relay enqueues later what is not enqueued here; the task at hand has done its own work."""
    try:
        yield
    except Exception as error:
        log.warning("batch_not_enqueued reason=%s", type(error).__name__)


def _enqueue_next(batches: Collection[UUID]) -> None:
    with database.snapshot() as conn:
        free = batch_order.next_of(conn, batches, datetime.now(UTC))
    for again in (False, True):
        direct = [str(one) for one in free.direct if (one in free.again) is again]
        if direct:
            app.send_task(DELIVER, [direct], {"again": again})
    for one in free.broadcasts:
        app.send_task(FAN_OUT, [str(one)], {"again": one in free.again})

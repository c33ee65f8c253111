"""The steps of upkeep. Each fails alone: the next one runs all the same, and the failure is an ERROR and a metric."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from models import maintenance
from models import retention as upkeep
from models.db.database import Connection, DatabaseUnavailable
from models.notifications import receipts
from models.retention import Retention
from models.retries.errors import describe
from workers.celery import database, retention

BATCH = 500  # rows in one transaction
COUNTING_SECONDS = 30  # of every minute; what is due then is counted next time

log = logging.getLogger(__name__)


def run_steps() -> None:
    """Run every step, whatever becomes of the ones before it."""
    for step in (upkeep.expire_old, upkeep.delete_old, upkeep.forget_changes, upkeep.forget_revocations):
        _run(step.__name__, partial(_run_batches, step))
    _run("count_readers", _count_readers)


def _run(name: str, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as error:
        log.error("maintenance_failed step=%s error=%s", name, _reason(error))
        _record(name, succeeded=False)
    else:
        _record(name, succeeded=True)


def _record(name: str, *, succeeded: bool) -> None:
    try:
        with database.transaction() as conn:
            maintenance.record(conn, name, datetime.now(UTC), succeeded=succeeded)
    except Exception as error:
        log.error("maintenance_not_recorded step=%s error=%s", name, _reason(error))


def _reason(error: Exception) -> str:
    cause = error.__cause__
    return describe(cause if isinstance(error, DatabaseUnavailable) and isinstance(cause, Exception) else error)


def _run_batches(step: Callable[[Connection, Retention, datetime, int], int]) -> None:
    done = BATCH
    while done == BATCH:
        with database.transaction() as conn:
            done = step(conn, retention, datetime.now(UTC), BATCH)


def _count_readers() -> None:
    """Count who saw and read what many have, without holding a lock meanwhile.

    Where one cannot be counted the others are; the step has failed then.
    """
    with database.snapshot() as conn:
        due = receipts.due(conn, datetime.now(UTC))
    failures = []
    enough = time.monotonic() + COUNTING_SECONDS
    while due and time.monotonic() < enough:
        try:
            _count(due.pop(0))
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


def _count(notification_id: UUID) -> None:
    with database.snapshot() as conn:
        counted = receipts.count(conn, notification_id, datetime.now(UTC))
    with database.transaction() as conn:
        receipts.store(conn, notification_id, counted)

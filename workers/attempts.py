"""Records attempts: claimed before they are made, refunded after a transient error, or failed.

If the database is busy or down when an attempt ends, this process records the end as soon as the database takes it.
Otherwise the attempt would count as one that killed its worker.
"""

import logging
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from models.db.database import Connection, DatabaseUnavailable
from models.retries import parked as parking
from models.retries.errors import PermanentError
from workers.celery import database

OWED_MAX = 10_000  # records that wait for the database; beyond that the oldest are dropped

log = logging.getLogger(__name__)

Record = Callable[[Connection], object]

_owed: deque[Record] = deque(maxlen=OWED_MAX)


def claim(ids: list[UUID]) -> parking.ClaimedAttempts:
    settle()
    with database.transaction() as conn:
        return parking.claim_attempts(conn, ids, datetime.now(UTC))


def record_failure(notification_id: UUID, error: PermanentError, *, counted: bool) -> bool:
    """True if that was the last attempt: the notification is parked. If the database is down, record it later."""
    parked = False

    def record(conn: Connection) -> None:
        nonlocal parked
        parked = parking.record_failure(conn, notification_id, error, datetime.now(UTC), counted=counted)

    _record(record)
    log.error("%s id=%s error=%s", "parked" if parked else "attempt_failed", notification_id, error)
    return parked


def refund(ids: Collection[UUID]) -> None:
    """Take back claimed attempts; later, if the database is down."""
    taken_back = list(ids)
    if taken_back:
        _record(lambda conn: parking.refund_attempts(conn, taken_back))


def settle() -> None:
    """Record what could not be recorded while the database was down or busy."""
    while _owed:
        with suppress(IndexError):  # another thread was faster
            record = _owed.popleft()
            if not _record(record):
                return


def _record(record: Record) -> bool:
    """Answers whether it is recorded; if not, it is kept for `settle`."""
    try:
        with database.transaction() as conn:
            record(conn)
    except DatabaseUnavailable:
        _owed.append(record)
        return False
    return True

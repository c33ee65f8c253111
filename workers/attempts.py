"""What is kept of an attempt: that it began, why it failed, or that it was nobody's fault."""

import logging
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from uuid import UUID

from models.db.database import DatabaseUnavailable
from models.retries import parked as parking
from models.retries.errors import Unfit
from workers.celery import database

log = logging.getLogger(__name__)


def begin(ids: list[UUID]) -> parking.Begun:
    with database.write() as session:
        return parking.begin(session, ids, datetime.now(UTC))


def fail(notification_id: UUID, error: Unfit, *, counted: bool) -> bool:
    """True when that was the last attempt, and it is parked."""
    with database.write() as session:
        parked = parking.fail(session, notification_id, error, datetime.now(UTC), counted=counted)
    log.error("%s id=%s error=%s", "parked" if parked else "attempt_failed", notification_id, error)
    return parked


def forgive(ids: Collection[UUID]) -> None:
    """Where the database is gone as well the count stays: then the attempt ended like one that took it along."""
    if ids:
        with suppress(DatabaseUnavailable), database.write() as session:
            parking.forgive(session, list(ids))

"""Change tables that are in use: a migration that waits for a lock blocks other sessions for a short time only."""

import logging
import time

from alembic import op
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from migrations.transactions import begin

LOCK_SECONDS = 1  # other sessions that want the table wait behind the migration
PAUSE_SECONDS = 1.0  # in which they proceed
ATTEMPTS = 60

log = logging.getLogger("alembic.belfry")  # alembic.ini sets up loggers below `alembic`


def alter_in_use(table: str, statement: str) -> None:
    """Execute the statement in its own transaction on PostgreSQL; wait for the lock on the table in short attempts.

    The migration's earlier statements are committed first, so they must be repeatable.
    """
    op.execute("COMMIT")
    for attempt in range(1, ATTEMPTS + 1):
        if _try(statement):
            return
        log.info("%s is in use; attempt %d of %d to lock it failed", table, attempt, ATTEMPTS)
        time.sleep(PAUSE_SECONDS)
    raise RuntimeError(f"{table} cannot be locked: end the transactions that use it for long, and migrate again")


def _try(statement: str) -> bool:
    """Returns False if the lock was not granted in time; otherwise begins a new transaction, as Alembic expects."""
    begin()
    op.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    try:
        op.execute(statement)
    except OperationalError as error:
        op.execute("ROLLBACK")
        if not isinstance(error.orig, LockNotAvailable):
            raise
        return False
    op.execute("COMMIT")
    begin()
    return True

"""Changes of tables that are in use: nobody else waits for long behind a migration that waits for its lock."""

import logging
import time

from alembic import op
from psycopg.errors import LockNotAvailable
from sqlalchemy.exc import OperationalError

from migrations.transactions import begin

LOCK_SECONDS = 1  # everyone who wants the table meanwhile waits as well
PAUSE_SECONDS = 1.0  # in which they go on
ATTEMPTS = 60

log = logging.getLogger("alembic.belfry")  # alembic.ini shows what is below `alembic`


def alter_in_use(table: str, statement: str) -> None:
    """Execute the statement in a transaction of its own on PostgreSQL, when the lock on the table can be had.

    What the migration did before is committed; it must bear being repeated.
    """
    op.execute("COMMIT")
    for attempt in range(1, ATTEMPTS + 1):
        if _try(statement):
            return
        log.info("%s is in use; attempt %d of %d to lock it failed", table, attempt, ATTEMPTS)
        time.sleep(PAUSE_SECONDS)
    raise RuntimeError(f"{table} cannot be locked: end the transactions that use it for long, and migrate again")


def _try(statement: str) -> bool:
    """False if the lock is not to be had. Leaves a transaction open if it is, as Alembic expects."""
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

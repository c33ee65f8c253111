"""Which errors mean that the database is away, whatever was asked of it."""

import logging
import time

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

LOG_AGAIN_SECONDS = 60.0  # why the database is away is logged when it changes, and so often

DATABASE_ERRORS = (DBAPIError, PoolTimeout, psycopg.Error)

# SQLSTATEs that psycopg does not count as operational errors, and that are no fault of the statement either.
_AWAY = (
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
# The server ends the connection, or a pooler says that it has lost the server.
_LOST = (errors.IdleInTransactionSessionTimeout, errors.TransactionTimeout)
_LOST_CLASSES = ("08", "57P")
# Raises "cached plan must not change result type" (0A000), which the server may say in another language.
_CHECKS_PLANS = "RevalidateCachedQuery"


log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # a command that sets no log up says by itself why it ends


class DatabaseUnavailable(Exception):
    """The database cannot be reached or did not answer. Nothing was written, unless it fell silent at the commit."""


class Locked(DatabaseUnavailable):
    """Somebody holds a row for longer than we wait. Nothing was written."""


class ReadOnly(DatabaseUnavailable):
    """The server takes no writes: it is a standby, or was made one by a failover. Nothing was written."""


class DatabaseUnusable(DatabaseUnavailable):
    """The database answers, but Belfry cannot work with it; the message names the setting and says what to do."""


def is_away(error: Exception) -> bool:
    """Whether it is the database that fails, whatever is asked of it."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, Locked)


def translate(error: Exception) -> DatabaseUnavailable | None:
    """The error as ours; None if the statement is to blame."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    name = _described(origin)
    if isinstance(origin, errors.LockNotAvailable):
        return Locked(name)
    if isinstance(origin, errors.ReadOnlySqlTransaction):
        return ReadOnly(name)
    operational = isinstance(error, (OperationalError, InterfaceError, PoolTimeout))
    operational |= isinstance(origin, (psycopg.OperationalError, psycopg.InterfaceError, *_AWAY))
    operational |= is_outdated_plan(origin)
    return DatabaseUnavailable(name) if operational else None


def _described(origin: BaseException | None) -> str:
    """The driver's class and the SQLSTATE; the message may repeat what was asked."""
    state = origin.sqlstate if isinstance(origin, psycopg.Error) else None
    return f"{type(origin).__name__}, SQLSTATE {state}" if state else type(origin).__name__


def is_outdated_plan(error: BaseException | None) -> bool:
    """Whether a statement was prepared before a migration changed the type of a column that it returns.

    It was not executed. Each connection that has it prepared raises this, until it is deallocated.
    """
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == _CHECKS_PLANS


def spoils_connections(error: Exception) -> bool:
    """Whether connections made before this error are of no use: closed, read-only, or with outdated plans."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, (errors.ReadOnlySqlTransaction, *_LOST)) or is_outdated_plan(origin):
        return True
    if not isinstance(origin, psycopg.OperationalError):
        return False
    return origin.sqlstate is None or origin.sqlstate.startswith(_LOST_CLASSES)


class FailureLog:
    """Says why the database is away: once, and again while it lasts, however many ask meanwhile."""

    def __init__(self) -> None:
        self._reason = ""
        self._logged_at = float("-inf")

    def note(self, error: DatabaseUnavailable) -> None:
        reason, now = f"{type(error).__name__}: {error}", time.monotonic()
        if not is_away(error) or (reason == self._reason and now < self._logged_at + LOG_AGAIN_SECONDS):
            return
        self._reason, self._logged_at = reason, now
        level = logging.ERROR if isinstance(error, DatabaseUnusable) else logging.WARNING
        log.log(level, "database_unavailable reason=%s", reason)

"""The errors that mean that the database is unavailable, whatever the statement."""

import logging
import time

import psycopg
from psycopg import errors
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

LOG_AGAIN_SECONDS = 60.0  # the reason is logged when it changes, and again after this time

DATABASE_ERRORS = (DBAPIError, PoolTimeout, psycopg.Error)

# Errors that psycopg does not count as operational, although the statement is not their cause.
_AWAY = (
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
)
# The server ends the connection, or a pooler reports that it has lost the server.
_LOST = (errors.IdleInTransactionSessionTimeout, errors.TransactionTimeout)
_LOST_CLASSES = ("08", "57P")
# The function that raises "cached plan must not change result type" (0A000); the message may be in another language.
_CHECKS_PLANS = "RevalidateCachedQuery"


log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # without logging set up, a command prints the reason itself


class DatabaseUnavailable(Exception):
    """The database cannot be reached or did not answer. Nothing was written, unless it fell silent at the commit."""


class Locked(DatabaseUnavailable):
    """Another transaction holds the lock on a row for longer than we wait. Nothing was written."""


class ReadOnly(DatabaseUnavailable):
    """The server accepts no writes: it is a standby, perhaps since a failover. Nothing was written."""


class DatabaseUnusable(DatabaseUnavailable):
    """The database answers, but Belfry cannot work with it; the message names the setting and says what to do."""


def is_away(error: Exception) -> bool:
    """Whether the database fails, whatever the statement."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, Locked)


def translate(error: Exception) -> DatabaseUnavailable | None:
    """The error as `DatabaseUnavailable`; None if the statement is the cause."""
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
    """The driver's class and the SQLSTATE, without the message, which may contain parameters."""
    state = origin.sqlstate if isinstance(origin, psycopg.Error) else None
    return f"{type(origin).__name__}, SQLSTATE {state}" if state else type(origin).__name__


def is_outdated_plan(error: BaseException | None) -> bool:
    """Whether a prepared statement is older than a migration that changed the type of a column that it returns.

    It was not executed. Every connection that has it prepared raises this, until it is deallocated.
    """
    return isinstance(error, errors.FeatureNotSupported) and error.diag.source_function == _CHECKS_PLANS


def spoils_connections(error: Exception) -> bool:
    """Whether older connections must not be used after this error: closed, read-only, or with outdated plans."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(origin, (errors.ReadOnlySqlTransaction, *_LOST)) or is_outdated_plan(origin):
        return True
    if not isinstance(origin, psycopg.OperationalError):
        return False
    return origin.sqlstate is None or origin.sqlstate.startswith(_LOST_CLASSES)


class FailureLog:
    """Logs why the database is unavailable: once, and again after a while, however many statements fail."""

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

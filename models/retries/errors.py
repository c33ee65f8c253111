"""Permanent errors, which a notification causes at every attempt, and transient ones, which pass."""

import sqlite3
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models.db.database import DatabaseUnavailable
from models.limits import ERROR_MAX

# SQLSTATE classes of errors that the data cause: data exception, integrity constraint violation, program limit
# exceeded, and errors that a trigger raises. All others are transient: a database that is down, full, locked, read-only
# or not migrated yet is no fault of the notifications.
PERMANENT_CLASSES = ("22", "23", "54", "P0")
REFUSALS = (IntegrityError, DataError, psycopg.IntegrityError, psycopg.DataError)
WITHOUT_VALUES = ("23", "P0")  # the message names columns and constraints; the values are in its detail, left out here

MODELS = Path(__file__).parents[1]
QUERIES = set(MODELS.rglob("*.py")) - {Path(__file__)}


class PermanentError(Exception):
    """The database or our own code refuses this notification at every attempt. The message may be stored."""


@contextmanager
def classify_errors() -> Iterator[None]:
    """Raise `PermanentError` for an error that the notifications cause. Transient errors pass unchanged."""
    try:
        yield
    except Exception as error:
        source = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
        if isinstance(source, Exception) and _is_permanent(source):
            raise PermanentError(describe(source)) from error
        raise


def _is_permanent(error: Exception) -> bool:
    if isinstance(error, (DBAPIError, psycopg.Error)):
        return isinstance(error, REFUSALS) or _sqlstate(_origin(error)).startswith(PERMANENT_CLASSES)
    return not isinstance(error, (DatabaseUnavailable, PoolTimeout))


def describe(error: Exception) -> str:
    """What went wrong and where, in a line, without anything that a producer or a recipient wrote."""
    origin = _origin(error)
    files = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    places = [f" at models/{file.relative_to(MODELS)}:{line}" for file, line in files if file in QUERIES]
    place = places[-1] if places else ""
    said = f"{type(origin).__name__}{_message(origin)}"
    return said[: ERROR_MAX - len(place)] + place


def _origin(error: Exception) -> BaseException:
    return error.orig if isinstance(error, DBAPIError) and error.orig else error


def _message(origin: BaseException) -> str:
    if isinstance(origin, psycopg.Error) and _sqlstate(origin).startswith(WITHOUT_VALUES):
        return f": {origin.diag.message_primary}"
    return f": {origin}" if isinstance(origin, sqlite3.IntegrityError) else ""  # Python's errors like to repeat values


def _sqlstate(origin: BaseException | None) -> str:
    return (origin.sqlstate or "") if isinstance(origin, psycopg.Error) else ""

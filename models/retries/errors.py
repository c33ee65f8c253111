"""Whose fault an error is: the notification's own, so that it will come again, or the world's, which will pass."""

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

# SQLSTATE classes that speak of the data: data exception, integrity constraint violation, program limit exceeded, and
# what a trigger raises. All others are the world's: a database that is away, full, locked, read-only or not migrated
# yet must not be taken for the fault of whatever comes by.
OWN_FAULTS = ("22", "23", "54", "P0")
REFUSALS = (IntegrityError, DataError, psycopg.IntegrityError, psycopg.DataError)
SAYS_NO_VALUES = ("23", "P0")  # the message names columns and constraints; the values are in its detail, left out here

MODELS = Path(__file__).parents[1]
QUERIES = set(MODELS.rglob("*.py")) - {Path(__file__)}


class Unfit(Exception):
    """The database or our own code refuses this notification, and will again. The message is fit to be kept."""


@contextmanager
def blaming() -> Iterator[None]:
    """Raises `Unfit` for what is the fault of the notifications at hand; what is the world's passes through."""
    try:
        yield
    except Exception as error:
        source = error.__cause__ if isinstance(error, DatabaseUnavailable) else error
        if isinstance(source, Exception) and _own_fault(source):
            raise Unfit(describe(source)) from error
        raise


def _own_fault(error: Exception) -> bool:
    if isinstance(error, (DBAPIError, psycopg.Error)):
        return isinstance(error, REFUSALS) or _sqlstate(_origin(error)).startswith(OWN_FAULTS)
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
    if isinstance(origin, psycopg.Error) and _sqlstate(origin).startswith(SAYS_NO_VALUES):
        return f": {origin.diag.message_primary}"
    return f": {origin}" if isinstance(origin, sqlite3.IntegrityError) else ""  # Python's errors like to repeat values


def _sqlstate(origin: BaseException | None) -> str:
    return (origin.sqlstate or "") if isinstance(origin, psycopg.Error) else ""

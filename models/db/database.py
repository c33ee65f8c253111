"""The database: transactions that write, snapshots that read, and single statements in autocommit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Executable

from lib.database_url import is_postgresql
from models.db.connector import TAKES_NO_WRITES
from models.db.postgresql import Postgresql
from models.db.server_connection import READ_TIMEOUT_SECONDS
from models.db.sqlite import Sqlite
from models.db.unavailable import (
    DATABASE_ERRORS,
    DatabaseUnavailable,
    DatabaseUnusable,
    FailureLog,
    Locked,
    ReadOnly,
    is_away,
    spoils_connections,
    translate,
)

__all__ = [
    "READ_TIMEOUT_SECONDS",
    "Connection",
    "Database",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Locked",
    "ReadOnly",
    "execute_prepared",
    "is_away",
]

CACHE_SIZE = 1_024  # compiled statements


class Database:
    """An engine for PostgreSQL (psycopg 3) or SQLite (WAL). Connects lazily, so it may be made before a fork.

    A transaction whose server falls silent is given up within about two seconds, or four through a pooler.
    """

    def __init__(self, url: str, *, lock_seconds: float | None = None, pooler: str = "auto") -> None:
        """`lock_seconds`: how long a statement waits for a lock before it raises `Locked`.

        `pooler`: `yes` if the connections go through a pooler that is not recognised.
        """
        self.url = url
        self._is_sqlite = not is_postgresql(url)
        self._server = (
            Sqlite(url)
            if self._is_sqlite
            else Postgresql(url, lock_seconds=lock_seconds, always_pooler=pooler == "yes")
        )
        self.engine = self._server.engine
        self._failures = FailureLog()
        self._engines = {
            kind: self.engine.execution_options(belfry_begin=kind) for kind in ("transaction", "snapshot", "autocommit")
        }

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, committed on leaving and rolled back on an exception. Raises `DatabaseUnavailable`."""
        with self._opened("transaction") as conn:
            yield conn

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """A read-only transaction: all its queries see one snapshot. Raises `DatabaseUnavailable`."""
        with self._opened("snapshot") as conn:
            yield conn

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """For a single query, which sees one snapshot by itself: it saves the round trips of BEGIN and COMMIT.

        Raises `DatabaseUnavailable`.
        """
        with self._opened("autocommit") as conn:
            yield conn

    @contextmanager
    def autocommit_write(self) -> Iterator[Connection]:
        """For a single statement that writes: it is a transaction by itself, in one round trip instead of three.

        The same as `transaction` on SQLite, where a writer waits for the lock in BEGIN, and through a pooler.
        Raises `DatabaseUnavailable`.
        """
        with self._opened("autocommit" if self._server.has_autocommit_writes else "transaction") as conn:
            yield conn

    def check(self) -> None:
        """Raises `DatabaseUnavailable` unless the database answers and takes writes. Does not log it."""
        with self._opened("autocommit", is_check=True) as conn:
            if conn.exec_driver_sql(self._server.read_only).scalar():
                self._server.renew()
                raise ReadOnly(TAKES_NO_WRITES)

    def refuse_unusable(self) -> None:
        """For the start of a process: raises `DatabaseUnusable`, but nothing if the database is away for now."""
        if self._is_sqlite:
            return
        try:
            self.check()
        except DatabaseUnusable:
            raise
        except DatabaseUnavailable:
            pass
        finally:
            self.dispose()

    def dispose(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _opened(self, kind: str, *, is_check: bool = False) -> Iterator[Connection]:
        try:
            conn, opened = self._server.open(self._engines[kind])
            with opened:
                yield conn
        except DATABASE_ERRORS as error:
            if spoils_connections(error):
                self._server.renew()
            unavailable = translate(error)
            if unavailable is None:
                raise
            self._failures.note(unavailable)
            raise unavailable from error
        except DatabaseUnavailable as error:  # raised by the connector
            if not is_check:
                self._failures.note(error)
            raise


def execute_prepared(conn: Connection, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Execute a statement that is built once and executed often; returns all rows. Ignores parameters that it lacks.

    On PostgreSQL the driver executes it: SQLAlchemy takes five times as long as the driver alone.
    """
    connection = conn.connection.driver_connection
    text, constants = _text_of(statement, conn.dialect)
    if text is None or not isinstance(connection, psycopg.Connection):
        result = conn.execute(statement, parameters)
        return result.all() if result.returns_rows else ()
    try:
        cursor = connection.execute(text, {**constants, **parameters})
        return () if cursor.rownumber is None else cursor.fetchall()
    except psycopg.Error as error:
        if connection.broken:
            conn.invalidate(error)
        raise


@lru_cache(CACHE_SIZE)
def _text_of(statement: Executable, dialect: Dialect) -> tuple[str | None, Mapping[str, Any]]:
    """The compiled statement and its constants; no text if that depends on the length of a list of values."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # all of ours can be compiled
    return None if compiled.post_compile_params else str(compiled), compiled.params

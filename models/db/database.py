"""The one door to the database: a transaction that writes, or a snapshot that reads."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Dialect, Executable

from lib.database_url import is_postgresql
from models.db.connector import PATIENCE_SECONDS, TAKES_NO_WRITES
from models.db.postgresql import Postgresql
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
    "PATIENCE_SECONDS",
    "Database",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Locked",
    "ReadOnly",
    "Session",
    "fetch",
    "is_away",
]

Session = Connection  # one transaction on one connection; what every query takes first

STATEMENTS_KEPT = 1_024  # as texts for the driver


class Database:
    """An engine for PostgreSQL (psycopg 3) or SQLite (WAL). Connects lazily, so it may be made before a fork.

    A transaction whose server falls silent is given up within about two seconds; four where a pooler is between.
    """

    def __init__(self, url: str, *, lock_seconds: float | None = None, pooler: str = "auto") -> None:
        """`lock_seconds`: how long a statement waits for another's lock; then it raises `Locked`.

        `pooler`: `yes` where the server's connections are shared by a pooler that is not recognised by itself.
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
            kind: self.engine.execution_options(belfry_begin=kind) for kind in ("write", "read", "at once")
        }

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed on leaving and rolled back on an exception. Raises `DatabaseUnavailable`."""
        with self._opened("write") as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One read-only snapshot: every query in it sees the same moment. Raises `DatabaseUnavailable`."""
        with self._opened("read") as session:
            yield session

    @contextmanager
    def glance(self) -> Iterator[Session]:
        """For a single query that reads: it sees one moment by itself, and BEGIN and COMMIT are two round trips less.

        Raises `DatabaseUnavailable`.
        """
        with self._opened("at once") as session:
            yield session

    @contextmanager
    def write_at_once(self) -> Iterator[Session]:
        """For a single statement that writes: it is a transaction by itself, in one round trip instead of three.

        On SQLite, where a writer waits for its turn in BEGIN, and through a pooler as `write`.
        Raises `DatabaseUnavailable`.
        """
        with self._opened("at once" if self._server.writes_at_once else "write") as session:
            yield session

    def check(self) -> None:
        """Raises `DatabaseUnavailable` unless the database answers and takes writes. Who asks says so; no log does."""
        with self._opened("at once", is_check=True) as session:
            if session.exec_driver_sql(self._server.read_only).scalar():
                self._server.renew()
                raise ReadOnly(TAKES_NO_WRITES)

    def refuse_unusable(self) -> None:
        """For the start of a process: raises `DatabaseUnusable`. A database that is away may come back."""
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
    def _opened(self, kind: str, *, is_check: bool = False) -> Iterator[Session]:
        try:
            session, opened = self._server.open(self._engines[kind])
            with opened:
                yield session
        except DATABASE_ERRORS as error:
            if spoils_connections(error):
                self._server.renew()
            unavailable = translate(error)
            if unavailable is None:
                raise
            self._failures.note(unavailable)
            raise unavailable from error
        except DatabaseUnavailable as error:  # of a connection that could not be made
            if not is_check:
                self._failures.note(error)
            raise


def fetch(session: Session, statement: Executable, parameters: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """All rows of a statement that is kept and carried out again and again; parameters that it does not name are left
    alone.

    On PostgreSQL the driver carries it out: SQLAlchemy's way around it takes five times what the driver itself takes.
    """
    connection = session.connection.driver_connection
    text, constants = _text_of(statement, session.dialect)
    if text is None or not isinstance(connection, psycopg.Connection):
        result = session.execute(statement, parameters)
        return result.all() if result.returns_rows else ()
    try:
        done = connection.execute(text, {**constants, **parameters})
        return () if done.rownumber is None else done.fetchall()
    except psycopg.Error as error:
        if connection.broken:
            session.invalidate(error)
        raise


@lru_cache(STATEMENTS_KEPT)
def _text_of(statement: Executable, dialect: Dialect) -> tuple[str | None, Mapping[str, Any]]:
    """With the values that stand in it. No text where that depends on how many values a list of them has."""
    compiled = statement.compile(dialect=dialect)  # type: ignore[attr-defined]  # all of ours can be compiled
    return None if compiled.post_compile_params else str(compiled), compiled.params

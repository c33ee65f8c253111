"""The one door to the database: a transaction that writes, or a snapshot that reads."""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Dialect, Engine, Executable, create_engine, event, make_url
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from models.patience import Patience

Session = Connection  # one transaction on one connection; what every query takes first

CONNECT_TIMEOUT_SECONDS = 2  # the least that libpq accepts; an API answer of 503 must come within three
POOL_TIMEOUT_SECONDS = 1
PATIENCE_SECONDS = 1.5  # then a server that is silent for half a second more is given up; one that is busy is not
REFUSE_SECONDS = 0.5  # after a connection could not be made, for so long none is tried
POOL_SIZE = 20  # and none beyond it, which would be made for one use and closed again: that takes longer than the use
STATEMENTS_KEPT = 1_024  # as texts for the driver
SQLITE_PATIENCE_SECONDS = 2.0  # for the one write lock; waited for here, since SQLite's own wait stops a whole process
SQLITE_LOOK_EVERY_SECONDS = 0.01

OPTIONS = " ".join(
    (
        "-c timezone=UTC",  # elsewhere the last hours of the year 9999 are no time that Python knows
        "-c datestyle=ISO",  # as `models.rendering` reads it
        # What is prepared is planned once, not for each parameter: planning a page costs three times what reading it
        # does, and tests/models/test_plans.py can say which plan it is.
        "-c plan_cache_mode=force_generic_plan",
    )
)


BEGIN_SNAPSHOT = {"postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "sqlite": "BEGIN"}


class DatabaseUnavailable(Exception):
    """The database cannot be reached or did not answer. Nothing was written, unless it fell silent at the commit."""


class Locked(DatabaseUnavailable):
    """Somebody holds a row for longer than we wait. Nothing was written."""


def is_away(error: Exception) -> bool:
    """Whether it is the database that fails, whatever is asked of it."""
    return isinstance(error, DatabaseUnavailable) and not isinstance(error, Locked)


class Database:
    """An engine for PostgreSQL (psycopg 3) or SQLite (WAL). Connects lazily, so it may be made before a fork.

    A transaction whose server falls silent is given up within about two seconds.
    """

    def __init__(self, url: str, *, lock_seconds: float | None = None) -> None:
        """`lock_seconds`: how long a statement waits for another's lock; then it raises `Locked`."""
        is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine = _sqlite_engine(url) if is_sqlite else _postgres_engine(url, lock_seconds)
        self._writes_at_once = not is_sqlite
        self._patience = Patience(PATIENCE_SECONDS)
        self._snapshots = self.engine.execution_options(belfry_begin=BEGIN_SNAPSHOT[self.engine.dialect.name])
        self._glances = self.engine.execution_options(belfry_begin=None)

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction, committed on leaving and rolled back on an exception. Raises `DatabaseUnavailable`."""
        with self._transaction(self.engine) as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One read-only snapshot: every query in it sees the same moment. Raises `DatabaseUnavailable`."""
        with self._transaction(self._snapshots) as session:
            yield session

    @contextmanager
    def glance(self) -> Iterator[Session]:
        """For a single query that reads: it sees one moment by itself, and BEGIN and COMMIT are two round trips less.

        Raises `DatabaseUnavailable`.
        """
        since = time.monotonic()
        with _translated(), self._glances.connect() as session, self._patience_with(session, since):
            yield session

    @contextmanager
    def write_at_once(self) -> Iterator[Session]:
        """For a single statement that writes: it is a transaction by itself, in one round trip instead of three.

        On SQLite, where a writer waits for its turn in BEGIN, as `write`. Raises `DatabaseUnavailable`.
        """
        with self.glance() if self._writes_at_once else self.write() as session:
            yield session

    def dispose(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Session]:
        since = time.monotonic()
        with _translated(), engine.connect() as session, self._patience_with(session, since), session.begin():
            yield session

    def _patience_with(self, session: Session, since: float) -> AbstractContextManager[None]:
        connection = session.connection.driver_connection
        if not isinstance(connection, psycopg.Connection):
            return nullcontext()  # SQLite has no server that could fall silent
        return self._patience.with_(connection, since)


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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError, psycopg.InterfaceError) as error:
        is_lock = isinstance(error.__cause__ or error, psycopg.errors.LockNotAvailable)
        raise (Locked if is_lock else DatabaseUnavailable)(type(error).__name__) from error


def _postgres_engine(url: str, lock_seconds: float | None) -> Engine:
    patience = "" if lock_seconds is None else f" -c lock_timeout={lock_seconds * 1000:.0f}"
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_SECONDS,
        # Transactions are begun below. To have it done by the driver, it must be told the kind of each, and back.
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "belfry",
            "options": OPTIONS + patience,
        },
    )
    event.listen(engine, "do_connect", _Connector())
    event.listen(engine, "begin", _begin_postgres)
    event.listen(engine, "reset", _leave_no_transaction)
    return engine


def _begin_postgres(session: Session) -> None:
    if begin := session.get_execution_options().get("belfry_begin", "BEGIN"):
        session.exec_driver_sql(begin)


def _leave_no_transaction(connection: psycopg.Connection[Any], _record: object, _state: object) -> None:
    if connection.pgconn.transaction_status != TransactionStatus.IDLE:  # who used it was ended in the middle
        connection.rollback()


class _Connector:
    """Makes connections; just after one failed it refuses at once, so that nobody waits for the next failure too."""

    def __init__(self) -> None:
        self._refused_until = 0.0

    def __call__(self, dialect: Dialect, _record: Any, args: Sequence[Any], options: dict[str, Any]) -> Any:
        if time.monotonic() < self._refused_until:
            raise psycopg.OperationalError("the last attempt to connect has just failed")
        try:
            return dialect.connect(*args, **options)
        except psycopg.OperationalError:
            self._refused_until = time.monotonic() + REFUSE_SECONDS
            raise


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": SQLITE_LOOK_EVERY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # pysqlite's own BEGIN comes too late to take the write lock
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # 202 is a promise, on a laptop that loses power too
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_sqlite(session: Session) -> None:
    """A writer takes the lock at once: one that reads first and writes later can fail with no retry possible."""
    deadline = time.monotonic() + SQLITE_PATIENCE_SECONDS
    begin = session.get_execution_options().get("belfry_begin", "BEGIN IMMEDIATE")
    while begin:
        try:
            session.exec_driver_sql(begin)
            return
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(SQLITE_LOOK_EVERY_SECONDS)  # a greenlet that waits lets the others run

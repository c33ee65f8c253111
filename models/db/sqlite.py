"""SQLite (WAL): its one write lock is taken in BEGIN."""

import sqlite3
import threading
import time
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

SQLITE_PATIENCE_SECONDS = 2.0  # for the one write lock; waited for here, since SQLite's own wait stops a whole process
SQLITE_LOOK_EVERY_SECONDS = 0.01

BEGINS = {"write": "BEGIN IMMEDIATE", "read": "BEGIN"}


class Sqlite:
    """One database file."""

    read_only = "SELECT false"
    writes_at_once = False

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, connect_args={"timeout": SQLITE_LOOK_EVERY_SECONDS})
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", self._begin)
        self._waiting = threading.Lock()

    def open(self, engine: Engine) -> tuple[Connection, ExitStack]:
        """A connection, in a transaction if one is wanted; the stack ends both."""
        with ExitStack() as stack:
            session = stack.enter_context(engine.connect())
            if _begin_of(session):
                stack.enter_context(session.begin())
            return session, stack.pop_all()

    def renew(self) -> None:
        """There is no server that could close a connection."""

    def _begin(self, session: Connection) -> None:
        """A writer takes the lock at once: one that reads first and writes later can fail with no retry possible.

        SQLite gives the lock to whoever asks at the right moment. So one thread of a process asks at a time: a process
        with many threads would leave little to the others.
        """
        begin, deadline = _begin_of(session), time.monotonic() + SQLITE_PATIENCE_SECONDS
        is_next = begin == BEGINS["write"] and self._waiting.acquire(timeout=SQLITE_PATIENCE_SECONDS)
        try:
            _try_until(session, begin, deadline)
        finally:
            if is_next:
                self._waiting.release()


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # pysqlite's own BEGIN comes too late to take the write lock
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # 202 is a promise, on a laptop that loses power too
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_of(session: Connection) -> str | None:
    return BEGINS.get(session.get_execution_options().get("belfry_begin", "write"))


def _try_until(session: Connection, begin: str | None, deadline: float) -> None:
    while begin:
        try:
            session.exec_driver_sql(begin)
            return
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(SQLITE_LOOK_EVERY_SECONDS)  # a greenlet that waits lets the others run

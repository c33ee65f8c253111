"""SQLite (WAL): a transaction that writes takes the one write lock in BEGIN."""

import sqlite3
import threading
import time
from contextlib import ExitStack
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

LOCK_TIMEOUT_SECONDS = 2.0  # for the write lock; polled here, since SQLite's own wait would block all greenlets
POLL_SECONDS = 0.01

BEGINS = {"transaction": "BEGIN IMMEDIATE", "snapshot": "BEGIN"}


class Sqlite:
    """One database file."""

    read_only = "SELECT false"
    has_autocommit_writes = False

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, connect_args={"timeout": POLL_SECONDS})
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", self._begin)
        self._waiting = threading.Lock()

    def open(self, engine: Engine) -> tuple[Connection, ExitStack]:
        """A connection, in a transaction unless it is in autocommit; the stack ends both."""
        with ExitStack() as stack:
            conn = stack.enter_context(engine.connect())
            if _begin_of(conn):
                stack.enter_context(conn.begin())
            return conn, stack.pop_all()

    def renew(self) -> None:
        """Nothing to do: there is no server that could close a connection."""

    def _begin(self, conn: Connection) -> None:
        """A writer takes the lock at once: one that reads first and then writes may fail, and cannot retry.

        SQLite gives the lock to the first that asks once it is free. So one thread of a process asks at a time: a
        process with many threads would leave little to the others.
        """
        begin, deadline = _begin_of(conn), time.monotonic() + LOCK_TIMEOUT_SECONDS
        is_next = begin == BEGINS["transaction"] and self._waiting.acquire(timeout=LOCK_TIMEOUT_SECONDS)
        try:
            _try_until(conn, begin, deadline)
        finally:
            if is_next:
                self._waiting.release()


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # pysqlite begins at the first write, which is too late
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # a commit survives a loss of power: a 202 is a promise
    connection.execute("PRAGMA foreign_keys=ON")


def _begin_of(conn: Connection) -> str | None:
    return BEGINS.get(conn.get_execution_options().get("belfry_begin", "transaction"))


def _try_until(conn: Connection, begin: str | None, deadline: float) -> None:
    while begin:
        try:
            conn.exec_driver_sql(begin)
            return
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)  # other greenlets run meanwhile

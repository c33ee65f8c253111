"""SQLite's one write lock is waited for by one thread of a process at a time."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, text

from dev.processes import wait_for
from models.db import sqlite
from models.db.database import Database

THREADS = 6
LOOKS = 10


def test_of_many_threads_one_asks_for_the_write_lock(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "LOCK_TIMEOUT_SECONDS", 30.0)
    database, other = Database(sqlite_url), sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)
    asked: list[int] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.extend([threading.get_ident()] * (statement == "BEGIN IMMEDIATE"))

    def write() -> None:
        with database.transaction() as conn:
            conn.execute(text("SELECT 1"))

    event.listen(database.engine, "before_cursor_execute", note)
    other.execute("BEGIN IMMEDIATE")
    with ThreadPoolExecutor(THREADS) as pool:
        written = [pool.submit(write) for _ in range(THREADS)]
        try:
            wait_for(lambda: len(asked) >= LOOKS, what="the lock to be asked for")
            assert len(set(asked)) == 1
        finally:
            other.execute("ROLLBACK")
        for one in written:
            one.result()
    assert len(set(asked)) == THREADS
    database.dispose()

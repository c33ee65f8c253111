import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from dev.postgresql import PostgreSQL
from models.db.database import READ_TIMEOUT_SECONDS, Database, DatabaseUnavailable
from models.db.probe import PROBE_SECONDS
from tests.support import wait_for


def sleep(database: Database, seconds: float) -> None:
    with database.snapshot() as conn:
        conn.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def test_a_server_that_is_busy_is_waited_for(postgres_url: str) -> None:
    database = Database(postgres_url)
    sleep(database, 2 * (READ_TIMEOUT_SECONDS + PROBE_SECONDS))
    database.dispose()


def test_a_server_that_falls_silent_is_given_up(services_folder: Path) -> None:
    with PostgreSQL(services_folder / "postgresql") as server, ThreadPoolExecutor() as many:
        database = Database(f"postgresql+psycopg{server.url.removeprefix('postgresql')}")
        sleep(database, 0)
        hung = [many.submit(sleep, database, 60) for _ in range(3)]
        wait_for(lambda: database.engine.pool.checkedout() == 3, what="three transactions")  # type: ignore[attr-defined]
        server.pause()
        started = time.monotonic()
        assert all(isinstance(one.exception(), DatabaseUnavailable) for one in hung)
        assert time.monotonic() - started < 10  # of the 60 that each would have slept
        server.resume()
        wait_for(lambda: answers(database), what="the server to be found again")
        database.dispose()


def answers(database: Database) -> bool:
    try:
        sleep(database, 0)
    except DatabaseUnavailable:
        return False
    return True


def test_a_database_that_is_not_there_is_unavailable_at_once() -> None:
    database = Database("postgresql+psycopg://belfry@127.0.0.1:1/belfry")
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(DatabaseUnavailable), database.transaction():
            pass
    assert time.monotonic() - started < 1


def test_after_one_caller_waited_for_a_silent_database_the_next_are_refused_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        database = Database(f"postgresql+psycopg://belfry@127.0.0.1:{silent.getsockname()[1]}/belfry")
        durations = []
        for _ in range(3):
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable), database.transaction():
                pass
            durations.append(time.monotonic() - started)
        assert durations[0] < 3
        assert max(durations[1:]) < 0.4

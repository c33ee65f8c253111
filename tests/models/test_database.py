import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from models.database import Database, DatabaseUnavailable


def sleep(database: Database, seconds: float) -> None:
    with database.read() as session:
        session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


def test_a_transaction_that_takes_too_long_is_given_up_and_the_others_are_not(postgres_url: str) -> None:
    database = Database(postgres_url.replace("postgresql://", "postgresql+psycopg://"), patience_seconds=1.0)
    with ThreadPoolExecutor() as many:
        started = time.monotonic()
        hung = [many.submit(sleep, database, 60) for _ in range(3)]
        for _ in range(5):
            sleep(database, 0.3)  # together longer than one may take
        assert all(isinstance(one.exception(), DatabaseUnavailable) for one in hung)
        assert time.monotonic() - started < 2.5
    sleep(database, 0)
    database.dispose()


def test_a_database_that_is_not_there_is_unavailable_at_once() -> None:
    database = Database("postgresql+psycopg://belfry@127.0.0.1:1/belfry")
    started = time.monotonic()
    for _ in range(20):
        with pytest.raises(DatabaseUnavailable), database.write():
            pass
    assert time.monotonic() - started < 1

"""Migration 0009 on a PostgreSQL that is in use: no statement fails, and it can be run again."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle

import psycopg
import pytest
from alembic import command

from migrations import locks
from models import subscriptions
from models.db.connector import PREPARE_AFTER
from models.db.database import Database, DatabaseUnavailable
from models.notifications import published
from tests.models.conftest import migrate
from tests.models.test_concurrency import Crowd, Writer
from tests.models.world import expect_exact_counts
from tests.support import reading, wait_for

WRITERS = 4
LENGTHS = """
SELECT array_agg(DISTINCT atttypmod - 4) FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
WHERE attname = 'topic' AND relname IN ('notifications', 'inbox_items', 'inbox_changes', 'subscriptions')
"""
NEWER_NAMES = "CREATE VIEW epoch AS SELECT epoch FROM history"  # so that the present queries run on this schema
INDEX = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_inbox_items_topic'::regclass"


class Load:
    """Threads that execute all operations, and count successes and failures because the database was unavailable."""

    def __init__(self, database: Database) -> None:
        self.crowd = Crowd(database, 20)
        self.running = threading.Event()
        self.running.set()
        self.succeeded = 0
        self.unavailable = 0

    def repeat(self, *actions: Callable[[], object]) -> None:
        for action in cycle(actions):
            if not self.running.is_set():
                return
            try:
                action()
                self.succeeded += 1
            except DatabaseUnavailable:
                self.unavailable += 1

    def read_all_tables(self) -> None:
        """In one snapshot, and in another order than the migration's."""
        with self.crowd.database.snapshot() as conn:
            subscriptions.topics_of(conn, self.crowd.people[0])
            reading.changes(conn, self.crowd.people[0], 0, 10)
            published.page(conn, "shop", now=datetime.now(UTC), topic="boots", limit=10)

    def read_topics(self) -> None:
        with self.crowd.database.autocommit() as conn:
            subscriptions.topics_of(conn, self.crowd.people[0])

    def read_inbox(self) -> None:
        with self.crowd.database.autocommit() as conn:
            reading.page(conn, self.crowd.people[0], state="all", topic="boots", limit=10)
        with self.crowd.database.autocommit() as conn:
            reading.changes(conn, self.crowd.people[0], 0, 10)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        writers = [Writer(self.crowd, number) for number in range(WRITERS)]
        with ThreadPoolExecutor(WRITERS + 2) as pool:
            tasks = [pool.submit(self.repeat, *turns_of(writer)) for writer in writers]
            tasks += [pool.submit(self.repeat, self.read_topics, self.read_inbox, self.read_all_tables) for _ in "ab"]
            try:
                self.wait_for_more()
                yield
                self.wait_for_more()
            finally:
                self.running.clear()
            for task in tasks:
                task.result()

    def wait_for_more(self) -> None:
        """Until statements are prepared on many connections."""
        enough = self.succeeded + 20 * PREPARE_AFTER
        wait_for(lambda: self.succeeded >= enough, timeout=30, what="reads and writes")


def turns_of(writer: Writer) -> list[Callable[[], object]]:
    turns = [writer.publish, writer.mark, writer.set_state, writer.delete, writer.redeliver, writer.subscribe]
    return [lambda turn=turn: turn(datetime.now(UTC)) for turn in turns]  # type: ignore[misc]


@pytest.mark.parametrize("_run", range(3))
def test_readers_and_writers_go_on_while_topics_are_widened(postgres: Database, _run: int) -> None:
    migrate(postgres.url, "0009", command.downgrade)
    with psycopg.connect(postgres.url) as connection:
        connection.execute(NEWER_NAMES)
    load = Load(postgres)
    with load.at_work():
        migrate(postgres.url, "0008", command.downgrade)
        load.wait_for_more()
        migrate(postgres.url, "0009")
    expect_wide(postgres.url)
    expect_exact_counts(postgres)
    assert load.unavailable < load.succeeded / 10


def test_a_reader_of_one_table_is_not_kept_from_the_others(postgres: Database) -> None:
    """No deadlock: the migration waits for a table that the reader has locked, and holds no lock on another."""
    migrate(postgres.url, "0008", command.downgrade)
    with ThreadPoolExecutor() as pool, postgres.snapshot() as conn:
        subscriptions.topics_of(conn, "bob")
        migrating = pool.submit(migrate, postgres.url)
        wait_for(lambda: waits_for_a_table(postgres.url), what="the migration to wait")
        published.page(conn, "shop", now=datetime.now(UTC), limit=10)
        conn.commit()
        migrating.result()
    expect_wide(postgres.url)


def waits_for_a_table(url: str) -> bool:
    with psycopg.connect(url) as connection:
        waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'subscriptions'::regclass"
        return bool(connection.execute(waiting).fetchall())


def test_a_table_that_somebody_keeps_locked_is_waited_for_in_turns(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(locks, "PAUSE_SECONDS", 0.1)
    migrate(postgres_url, "0008", command.downgrade)
    caplog.set_level("INFO", "alembic")
    with ThreadPoolExecutor() as pool, psycopg.connect(postgres_url) as other:
        other.execute("SELECT count(*) FROM inbox_changes")
        migrating = pool.submit(migrate, postgres_url)
        wait_for(lambda: "inbox_changes is in use" in caplog.text, timeout=20, what="an attempt")
        other.execute("SELECT count(*) FROM inbox_items")  # widened before, and let go
        other.rollback()
        migrating.result()
    expect_wide(postgres_url)


def test_a_migration_that_failed_midway_can_be_run_again(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(postgres_url, "0008", command.downgrade)
    with psycopg.connect(postgres_url) as other:
        other.execute("SELECT count(*) FROM subscriptions")
        with monkeypatch.context() as impatient:
            impatient.setattr(locks, "ATTEMPTS", 1)
            with pytest.raises(RuntimeError, match="subscriptions cannot be locked"):
                migrate(postgres_url)
    migrate(postgres_url)
    expect_wide(postgres_url)


def expect_wide(url: str) -> None:
    with psycopg.connect(url) as connection:
        assert connection.execute(LENGTHS.encode()).fetchall() == [([260],)]
        assert connection.execute(INDEX).fetchall() == [(True,)]

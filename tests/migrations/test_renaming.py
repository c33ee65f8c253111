"""Migration 0010: the release before reads and writes the table by its old name, and no statement fails."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

from alembic import command
from sqlalchemy import text

from models.db.connector import PREPARE_AFTER
from models.db.database import Database, execute_prepared
from models.inbox import reading
from tests.models.conftest import migrate
from tests.support import wait_for

OLD = text("SELECT epoch FROM history")


def test_the_old_name_reads_the_same_epoch(database: Database) -> None:
    with database.snapshot() as conn:
        assert conn.scalars(OLD).all() == conn.scalars(text("SELECT epoch FROM epoch")).all()


def test_the_release_before_begins_a_new_epoch(postgres: Database) -> None:
    new = uuid4()
    with postgres.transaction() as conn:
        conn.execute(text("UPDATE history SET epoch = :new"), {"new": new})
        assert reading.current_summary(conn, "bob").epoch == new


def test_the_epoch_is_the_same_after_the_way_back_and_forth(database: Database) -> None:
    before = epoch(database)
    migrate(database.url, "0009", command.downgrade)
    assert epoch(database) == before
    migrate(database.url)
    assert epoch(database) == before


def test_what_the_release_before_has_prepared_goes_on(postgres: Database) -> None:
    """Also in a transaction that the migration waits for."""
    migrate(postgres.url, "0009", command.downgrade)
    with ThreadPoolExecutor() as pool, postgres.autocommit() as conn:
        before = [execute_prepared(conn, OLD, {}) for _ in range(PREPARE_AFTER + 1)][-1]
        with postgres.transaction() as other:
            execute_prepared(other, OLD, {})
            migrating = pool.submit(migrate, postgres.url)
            wait_for(lambda: execute_prepared(conn, WAITING, {}) or migrating.done(), what="the migration to wait")
            execute_prepared(other, OLD, {})
        migrating.result()
        assert execute_prepared(conn, OLD, {}) == before


WAITING = text("SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


def epoch(database: Database) -> object:
    with database.snapshot() as conn:
        return conn.scalars(OLD).one()

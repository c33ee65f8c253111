"""A migration changes the type of a column while processes have statements prepared that return it."""

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from models.db.connector import PREPARE_AFTER
from models.db.database import Connection, Database, DatabaseUnavailable, execute_prepared, is_away
from models.retries.errors import classify_errors
from tests.support.connections import fill_pool

CONNECTIONS = 3
WRITES = text("UPDATE counted SET n = n + 1 RETURNING label, n")
READS = text("SELECT label, n FROM counted")
STATEMENTS = {"transaction": WRITES, "snapshot": READS, "autocommit": READS, "autocommit_write": WRITES}

Execute = Callable[[Connection, Any], Sequence[Sequence[Any]]]


def by_sqlalchemy(conn: Connection, statement: Any) -> Sequence[Sequence[Any]]:
    return conn.execute(statement).all()


def by_the_driver(conn: Connection, statement: Any) -> Sequence[Sequence[Any]]:
    return execute_prepared(conn, statement, {})


@pytest.fixture
def database(postgres: Database) -> Database:
    with postgres.transaction() as conn:
        conn.execute(text("CREATE TABLE counted (label varchar(5), n int)"))
        conn.execute(text("INSERT INTO counted VALUES ('a', 0)"))
    return postgres


def prepare(database: Database, way: str, execute: Execute) -> int:
    """On each connection of the pool. Returns the number of updates so far."""
    fill_pool(database, CONNECTIONS)
    for _ in range(CONNECTIONS * (PREPARE_AFTER + 2)):
        with getattr(database, way)() as conn:
            [(_, n)] = execute(conn, STATEMENTS[way])
    return int(n)


def execute_second(database: Database, way: str, execute: Execute) -> Sequence[Sequence[Any]]:
    with getattr(database, way)() as conn:
        execute(conn, text("SELECT 1"))
        return execute(conn, STATEMENTS[way])


def widen(url: str) -> None:
    with psycopg.connect(url) as migration:
        migration.execute("ALTER TABLE counted ALTER COLUMN label TYPE varchar(9)")


@pytest.mark.parametrize("execute", [by_sqlalchemy, by_the_driver])
@pytest.mark.parametrize("way", STATEMENTS)
def test_the_first_statement_of_a_transaction_is_executed_once_in_spite_of_an_outdated_plan(
    database: Database, way: str, execute: Execute
) -> None:
    n = prepare(database, way, execute)
    widen(database.url)
    for _ in range(CONNECTIONS + 1):
        n += STATEMENTS[way] is WRITES
        with getattr(database, way)() as conn:
            assert execute(conn, STATEMENTS[way]) == [("a", n)]


@pytest.mark.parametrize("execute", [by_sqlalchemy, by_the_driver])
@pytest.mark.parametrize("way", ["transaction", "snapshot"])
def test_a_later_statement_with_an_outdated_plan_means_that_the_database_is_away(
    database: Database, way: str, execute: Execute
) -> None:
    """Every connection of the pool is replaced, so that the next transaction succeeds."""
    n = prepare(database, way, execute)
    widen(database.url)
    with pytest.raises(DatabaseUnavailable) as refusal, classify_errors():
        execute_second(database, way, execute)
    assert is_away(refusal.value)
    for _ in range(CONNECTIONS + 1):
        n += way == "transaction"
        assert execute_second(database, way, execute) == [("a", n)]


@pytest.mark.parametrize("execute", [by_sqlalchemy, by_the_driver])
def test_rows_written_by_executemany_are_not_lost_when_a_later_plan_is_outdated(
    database: Database, execute: Execute
) -> None:
    """The transaction is not begun again without them: it is committed whole, or not at all."""
    prepare(database, "transaction", execute)
    widen(database.url)
    with pytest.raises(DatabaseUnavailable):
        insert_and_update(database, execute)
    with database.autocommit() as conn:
        assert len(execute(conn, text("SELECT label FROM counted"))) == 1


def insert_and_update(database: Database, execute: Execute) -> None:
    with database.transaction() as conn:
        conn.execute(text("INSERT INTO counted VALUES (:label, 0)"), [{"label": "b"}, {"label": "c"}])
        execute(conn, WRITES)

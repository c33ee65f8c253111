"""A server that takes no writes counts as unavailable, and no connection to it is used again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dev.postgresql import PostgreSQL
from dev.services import temporary_folder
from models.db.database import Connection, Database, DatabaseUnavailable, Locked, ReadOnly, execute_prepared, is_away
from models.db.unavailable import translate
from models.retries.errors import classify_errors
from tests.faults.proxy import Proxy
from tests.support import wait_for
from tests.support.connections import fill_pool
from tests.support.standby import Standby

pytestmark = pytest.mark.slow

INSERT = text("INSERT INTO marks VALUES (:n)")
NEWEST = text("SELECT max(n) FROM marks")


@pytest.fixture
def primary(services_folder: object) -> Iterator[PostgreSQL]:
    with temporary_folder() as folder, PostgreSQL(folder / "primary") as running:
        with psycopg.connect(running.url, autocommit=True) as admin:
            admin.execute("CREATE TABLE marks (n int)")
        yield running


@pytest.fixture
def proxy(primary: PostgreSQL) -> Iterator[Proxy]:
    proxy = Proxy(primary.port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def database(primary: PostgreSQL, proxy: Proxy) -> Iterator[Database]:
    netloc = f"belfry:{primary.password}@127.0.0.1:{proxy.port}"
    database = Database(urlsplit(primary.url)._replace(netloc=netloc).geturl(), lock_seconds=0.2)
    yield database
    database.dispose()


def mark(database: Database, n: int) -> None:
    with database.autocommit_write() as conn:
        execute_prepared(conn, INSERT, {"n": n})


def newest(database: Database) -> int:
    with database.autocommit() as conn:
        return int(execute_prepared(conn, NEWEST, {})[0][0])


def set_read_only(server: PostgreSQL, value: str) -> None:
    """As in a failover by hand; connections stay open."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
        admin.execute("SELECT pg_reload_conf()")
    wait_for(lambda: shown(server) == value)


def shown(server: PostgreSQL) -> str:
    with psycopg.connect(server.url, autocommit=True) as admin:
        return str(admin.execute("SHOW default_transaction_read_only").fetchall()[0][0])


def insert_by_sqlalchemy(conn: Connection) -> None:
    conn.execute(INSERT, {"n": 2})


def insert_by_the_driver(conn: Connection) -> None:
    execute_prepared(conn, INSERT, {"n": 2})


@pytest.mark.parametrize("insert", [insert_by_sqlalchemy, insert_by_the_driver])
@pytest.mark.parametrize("way", ["transaction", "autocommit_write"])
def test_a_write_that_a_read_only_server_refuses_means_that_the_database_is_away(
    primary: PostgreSQL, database: Database, insert: object, way: str
) -> None:
    mark(database, 1)
    set_read_only(primary, "on")
    with pytest.raises(ReadOnly) as refusal, classify_errors(), getattr(database, way)() as conn:
        insert(conn)  # type: ignore[operator]
    assert is_away(refusal.value)
    with pytest.raises(ReadOnly):
        newest(database)
    with pytest.raises(ReadOnly):
        database.check()
    set_read_only(primary, "off")
    wait_for(lambda: is_usable(database))
    mark(database, 2)
    assert newest(database) == 2


def is_usable(database: Database) -> bool:
    try:
        database.check()
    except DatabaseUnavailable:
        return False
    return True


def test_who_only_reads_notices_by_the_second_answer(primary: PostgreSQL, database: Database) -> None:
    mark(database, 1)
    set_read_only(primary, "on")
    newest(database)
    with pytest.raises(ReadOnly):
        newest(database)


def test_after_a_failover_writes_go_to_the_new_primary_and_reads_are_fresh(
    primary: PostgreSQL, proxy: Proxy, database: Database
) -> None:
    """Connections to the old server stay open, and it would answer their reads."""
    mark(database, 1)
    fill_pool(database, 4)
    with temporary_folder() as folder, Standby(folder / "standby", primary) as standby:
        standby.catch_up()
        set_read_only(primary, "on")
        proxy.lead_to(standby.port)
        with pytest.raises(ReadOnly):
            mark(database, 2)
        for _ in range(4):
            with pytest.raises(ReadOnly):
                newest(database)  # of the old server, or of a standby, which may lag
        standby.promote()
        wait_for(lambda: is_usable(database), 5, "the new primary to be met")
        mark(database, 3)
        assert newest(database) == 3
        with psycopg.connect(standby.url) as there:
            assert there.execute("SELECT max(n) FROM marks").fetchall() == [(3,)]
        database.dispose()


@pytest.mark.parametrize("wanted", ["", "?target_session_attrs=any"])
def test_a_standby_is_no_database_to_work_with(primary: PostgreSQL, wanted: str) -> None:
    with temporary_folder() as folder, Standby(folder / "standby", primary) as standby:
        database = Database(standby.url + wanted)
        with pytest.raises(ReadOnly):
            newest(database)
        database.dispose()


AWAY = {
    "08006": "connection_failure",
    "25006": "read_only_sql_transaction",
    "25P03": "idle_in_transaction_session_timeout",
    "53100": "disk_full",
    "53200": "out_of_memory",
    "53300": "too_many_connections",
    "57014": "query_canceled",
    "57P01": "admin_shutdown",
    "57P02": "crash_shutdown",
    "57P03": "cannot_connect_now",
    "58030": "io_error",
}
OWN_FAULT = {"22001": "string_data_right_truncation", "23505": "unique_violation", "42P01": "undefined_table"}


RAISE = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$"


def run_by_sqlalchemy(conn: Connection, statement: str) -> None:
    conn.exec_driver_sql(statement)


def run_by_the_driver(conn: Connection, statement: str) -> None:
    conn.connection.driver_connection.execute(statement)  # type: ignore[union-attr]


@contextmanager
def raising(database: Database, sqlstate: str) -> Iterator[Connection]:
    """A server that raises this in the middle of a statement."""
    with database.transaction() as conn:
        run_by_the_driver(conn, RAISE.format(sqlstate=sqlstate))
        yield conn


@pytest.mark.parametrize("sqlstate", AWAY)
def test_what_is_no_fault_of_a_statement_means_away(primary: PostgreSQL, database: Database, sqlstate: str) -> None:
    with pytest.raises(DatabaseUnavailable) as refusal, classify_errors(), raising(database, sqlstate):
        pass
    assert is_away(refusal.value)


@pytest.mark.parametrize("run", [run_by_sqlalchemy, run_by_the_driver])
def test_the_log_says_which_error_of_the_server_it_was(
    primary: PostgreSQL, database: Database, caplog: pytest.LogCaptureFixture, run: Callable[[Connection, str], object]
) -> None:
    with pytest.raises(DatabaseUnavailable), database.transaction() as conn:
        run(conn, RAISE.format(sqlstate="53100"))
    [line] = [record.getMessage() for record in caplog.records if record.name == "models.db.unavailable"]
    assert line == "database_unavailable reason=DatabaseUnavailable: DiskFull, SQLSTATE 53100"


def test_a_lock_that_somebody_holds_is_no_fault_of_the_database(primary: PostgreSQL, database: Database) -> None:
    with pytest.raises(Locked) as refusal, raising(database, "55P03"):
        pass
    assert not is_away(refusal.value)


@pytest.mark.parametrize("sqlstate", OWN_FAULT)
def test_what_is_the_fault_of_a_statement_does_not(primary: PostgreSQL, database: Database, sqlstate: str) -> None:
    with pytest.raises((psycopg.Error, DBAPIError)) as refusal, raising(database, sqlstate):
        pass
    assert translate(refusal.value) is None

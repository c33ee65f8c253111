"""Behind a pooler nothing belongs to a session: each transaction brings its settings along, and nothing is prepared."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from alembic import command
from sqlalchemy import text

from dev.postgresql import PostgreSQL
from dev.services import temporary_folder
from models.db.database import Database, DatabaseUnavailable, DatabaseUnusable, Locked, execute_prepared
from models.db.server_connection import ServerConnection
from tests.models.conftest import migrate
from tests.support import wait_for
from tests.support.pgbouncer import PgBouncer

pytestmark = pytest.mark.slow

LOCK_SECONDS = 0.3
WAYS = ("transaction", "snapshot", "autocommit", "autocommit_write")
IGNORING = "ignore_startup_parameters = options"
REFUSED_OPTIONS = [
    ("work_mem=abc", 'invalid value for parameter "work_mem"'),
    ("default_tablespace=none", 'invalid value for parameter "default_tablespace"'),  # the server adds a detail
    ("role=nobody", "does not exist"),
    ("none=1", 'unrecognized configuration parameter "none"'),
    ("max_connections=5", "cannot be changed without restarting the server"),
]
SET = text(
    "SELECT current_setting('TimeZone'), current_setting('DateStyle'), current_setting('plan_cache_mode'),"
    " current_setting('search_path'), current_setting('lock_timeout')"
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    """A role with other settings than Belfry's."""
    with (
        temporary_folder() as folder,
        PostgreSQL(folder / "postgresql", TimeZone="Asia/Tokyo", DateStyle="German") as running,
    ):
        yield running


@pytest.fixture(params=["session", "transaction"])
def pgbouncer(request: pytest.FixtureRequest, server: PostgreSQL, services_folder: Path) -> Iterator[PgBouncer]:
    with PgBouncer(services_folder / "pgbouncer", server, request.param, more=IGNORING) as running:
        yield running


@pytest.fixture
def database(pgbouncer: PgBouncer) -> Iterator[Database]:
    database = Database(f"{pgbouncer.url}?options=-c%20search_path%3Dours,public", lock_seconds=LOCK_SECONDS)
    yield database
    database.dispose()


@pytest.mark.parametrize("way", WAYS)
def test_the_settings_hold_in_every_transaction_and_for_no_other_client(
    server: PostgreSQL, pgbouncer: PgBouncer, database: Database, way: str
) -> None:
    ours = ("UTC", "ISO, DMY", "force_generic_plan", "ours,public", "300ms")
    for _ in range(10):  # psycopg prepares at the fifth
        with getattr(database, way)() as conn:
            assert execute_prepared(conn, SET, {}) == [ours]
    with psycopg.connect(pgbouncer.url) as other:
        theirs = other.execute(str(SET)).fetchall()[0]
    assert theirs == ("Asia/Tokyo", "German, DMY", "auto", '"$user", public', "0")


def test_transactions_that_share_connections_never_meet_the_statement_of_another(
    server: PostgreSQL, services_folder: Path
) -> None:
    """Two Belfrys on three connections: a prepared statement would be known to one server connection, or be another."""
    with (
        PgBouncer(services_folder / "pgbouncer", server, "transaction", pool_size=3, more=IGNORING) as pooler,
        ThreadPoolExecutor(16) as many,
    ):
        databases = [Database(pooler.url), Database(pooler.url)]

        def ask(n: int) -> bool:
            with databases[n % 2].autocommit() as conn:
                statement = text(f"SELECT {n % 7}, CAST(:n AS integer)")
                return execute_prepared(conn, statement, {"n": n}) == [(n % 7, n)]

        assert all(many.map(ask, range(2_000)))
        for one in databases:
            one.dispose()


def test_a_lock_is_waited_for_only_so_long(server: PostgreSQL, database: Database) -> None:
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("CREATE TABLE IF NOT EXISTS rows (n int)")
        with admin.transaction():
            admin.execute("LOCK TABLE rows")
            with pytest.raises(Locked), database.autocommit_write() as conn:
                execute_prepared(conn, text("INSERT INTO rows VALUES (1)"), {})


def test_a_direct_connection_prepares_and_one_through_a_pooler_does_not(server: PostgreSQL, database: Database) -> None:
    direct, told = Database(server.url), Database(server.url, pooler="yes")
    prepares = []
    for one in (direct, told, database):
        with one.autocommit() as conn:
            driver = conn.connection.driver_connection
            assert isinstance(driver, ServerConnection)
            prepares.append((driver.through_pooler, driver.prepare_threshold))
        one.dispose()
    assert prepares == [(False, 5), (True, None), (True, None)]


def test_a_silent_server_is_given_up_although_the_pooler_answers(services_folder: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(PostgreSQL(services_folder / "postgresql"))
        pooler = stack.enter_context(PgBouncer(services_folder / "pgbouncer", server, "transaction"))
        database = Database(pooler.url)
        database.check()
        server.pause()
        stack.callback(server.resume)
        for _ in range(2):  # the second makes a connection anew: pgbouncer lets it in
            started = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                database.check()
            assert time.monotonic() - started < 7
        server.resume()
        wait_for(lambda: is_there(database), 20, "the server to be found again")
        database.dispose()


def test_a_busy_server_behind_a_pooler_is_waited_for(database: Database) -> None:
    with database.snapshot() as conn:
        assert conn.execute(text("SELECT 1 FROM pg_sleep(5)")).scalar() == 1


def is_there(database: Database) -> bool:
    try:
        database.check()
    except DatabaseUnavailable:
        return False
    return True


def test_no_parameter_is_sent_at_the_start_that_pgbouncer_refuses(server: PostgreSQL, services_folder: Path) -> None:
    with PgBouncer(services_folder / "pgbouncer", server, "transaction") as strict:
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            psycopg.connect(strict.url, options="-c plan_cache_mode=force_generic_plan")
        database = Database(f"{strict.url}?options=-csearch_path%3Dours", lock_seconds=LOCK_SECONDS)
        with database.autocommit() as conn:
            assert execute_prepared(conn, text("SHOW search_path"), {}) == [("ours",)]
        database.dispose()


@pytest.mark.parametrize(("option", "said"), REFUSED_OPTIONS)
def test_options_that_the_server_refuses_are_a_configuration_error_in_one_line(
    server: PostgreSQL, pgbouncer: PgBouncer, option: str, said: str
) -> None:
    for url in (server.url, pgbouncer.url):
        database = Database(f"{url}?options=-c{quote(option)}")
        with pytest.raises(DatabaseUnusable, match=said) as refusal:
            database.refuse_unusable()
        assert str(refusal.value).startswith("DATABASE_URL has `options` that the server refuses (")
        assert "\n" not in str(refusal.value)
        with pytest.raises(DatabaseUnusable), database.transaction():
            pass
        database.dispose()


MADE = "SELECT relname, relkind FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'i')"


def test_migrations_through_a_pooler_stay_in_the_schema_that_the_url_names(
    server: PostgreSQL, pgbouncer: PgBouncer
) -> None:
    """Also outside of the transaction that sets the search_path."""
    made = []
    with psycopg.connect(server.url, autocommit=True) as admin:
        for schema, url in (("direct", server.url), ("pooled", pgbouncer.url)):
            admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}".encode())
            named = f"{url}?options=-csearch_path%3D{schema}"
            migrate(named)
            migrate(named, "0007", command.downgrade)
            migrate(named)
            made.append(set(admin.execute(MADE, [schema]).fetchall()))
        elsewhere = admin.execute(MADE, ["public"]).fetchall()
    assert {("alembic_version", "r"), ("ix_inbox_items_topic", "i"), ("ix_notifications_batch", "i")} <= made[0]
    assert made[1] == made[0]
    assert not made[0] & set(elsewhere)

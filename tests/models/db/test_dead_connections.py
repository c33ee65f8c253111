"""A pooled connection that died while it was idle is replaced, and the statement is sent on another."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text

from dev.postgresql import PostgreSQL
from dev.services import temporary_folder
from models.db import connector, postgresql
from models.db.database import Connection, Database, DatabaseUnavailable, execute_prepared
from models.db.server_connection import ServerConnection
from tests.faults.proxy import Proxy
from tests.support import wait_for
from tests.support.connections import fill_pool

pytestmark = pytest.mark.slow

CONNECTIONS = 4
WAYS = ("transaction", "snapshot", "autocommit", "autocommit_write")
SELECT = text("SELECT 1")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with temporary_folder() as folder, PostgreSQL(folder / "postgresql") as running:
        yield running


@pytest.fixture
def proxy(server: PostgreSQL) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def database(server: PostgreSQL, proxy: Proxy) -> Iterator[Database]:
    """With several connections in its pool, all idle."""
    url = urlsplit(server.url)
    database = Database(url._replace(netloc=f"belfry:{server.password}@127.0.0.1:{proxy.port}").geturl())
    fill_pool(database, CONNECTIONS)
    yield database
    database.dispose()


def terminate(server: PostgreSQL, proxy: Proxy) -> None:
    with psycopg.connect(server.url, autocommit=True) as admin:
        others = "FROM pg_stat_activity WHERE application_name = 'belfry'"
        admin.execute(f"SELECT pg_terminate_backend(pid) {others}".encode())
        wait_for(lambda: not admin.execute(f"SELECT 1 {others}".encode()).fetchall(), what="all to be gone")


def restart(server: PostgreSQL, proxy: Proxy) -> None:
    server.stop()
    server.start()


def finish(server: PostgreSQL, proxy: Proxy) -> None:
    proxy.hang_up()


def reset(server: PostgreSQL, proxy: Proxy) -> None:
    proxy.hang_up(reset=True)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kill", [terminate, restart, finish, reset])
def test_the_first_statement_after_all_connections_died_succeeds(
    server: PostgreSQL, proxy: Proxy, database: Database, kill: Callable[[PostgreSQL, Proxy], None], way: str
) -> None:
    kill(server, proxy)
    wait_for(lambda: proxy.lines == 0, what="the end of all to arrive")
    for _ in range(CONNECTIONS + 1):
        assert ask(database, way) == 1


@pytest.mark.parametrize("way", WAYS)
def test_a_connection_whose_end_nobody_told_is_found_dead_before_the_statement_is_sent(
    server: PostgreSQL, proxy: Proxy, database: Database, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """As behind a firewall that dropped it: only sending something shows that it is gone."""
    monkeypatch.setattr(postgresql, "IDLE_SECONDS", 0)
    monkeypatch.setattr(postgresql, "_is_closed", lambda connection: False)
    finish(server, proxy)
    for _ in range(CONNECTIONS + 1):
        assert ask(database, way) == 1


def ask(database: Database, way: str) -> int:
    opened: AbstractContextManager[Connection] = getattr(database, way)()
    with opened as conn:
        [(one,)] = execute_prepared(conn, SELECT, {})
    return int(one)


def test_a_statement_that_may_have_run_is_not_sent_again(server: PostgreSQL, proxy: Proxy, database: Database) -> None:
    with database.transaction() as conn:
        conn.execute(text("CREATE TABLE counted (n int)"))
    insert = text("INSERT INTO counted SELECT 1 FROM pg_sleep(0.2)")
    proxy.swallow_answers()
    with ExitStack() as stack:
        stack.callback(proxy.heal)
        with ThreadPoolExecutor() as pool:
            running = pool.submit(write_one, database, insert)
            wait_for(lambda: count(server) == 1, what="the row")
            finish(server, proxy)
        with pytest.raises(DatabaseUnavailable):
            running.result()
    assert count(server) == 1


def write_one(database: Database, insert: object) -> None:
    with database.autocommit_write() as conn:
        execute_prepared(conn, insert, {})  # type: ignore[arg-type]


def count(server: PostgreSQL) -> int:
    with psycopg.connect(server.url) as connection:
        return int(connection.execute("SELECT count(*) FROM counted").fetchall()[0][0])


def test_a_statement_on_a_connection_in_use_costs_one_round_trip(proxy: Proxy, database: Database) -> None:
    for _ in range(CONNECTIONS * (connector.PREPARE_AFTER + 1)):
        ask(database, "autocommit")
    before = proxy.questions
    for _ in range(50):
        ask(database, "autocommit")
    assert proxy.questions - before == 50


def test_probes_keep_idle_connections_from_being_forgotten(database: Database) -> None:
    with database.autocommit() as conn:
        driver = conn.connection.driver_connection
        assert isinstance(driver, ServerConnection)
        assert 0 < int(driver.info.get_parameters()["keepalives_idle"]) <= 60

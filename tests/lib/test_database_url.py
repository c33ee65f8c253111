"""DATABASE_URL: every form that libpq accepts, and errors that say what to set and never show a password."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import text

from dev.postgresql import PostgreSQL
from dev.processes import free_port
from dev.services import temporary_folder
from lib.database_url import InvalidDatabaseUrl, normalize_database_url, parse_postgresql
from models.db.database import Database, execute_prepared
from models.db.server_connection import ServerConnection
from tests.api.running import migrate
from tests.conftest import demand_service
from tests.support.standby import Standby

pytestmark = pytest.mark.slow

TAKEN = [
    ("postgresql://u:p@/db?host=/socket/dir", {"host": "/socket/dir", "user": "u", "password": "p", "dbname": "db"}),
    ("postgresql://%2Fsocket%2Fdir/db", {"host": "/socket/dir", "dbname": "db"}),
    ("postgresql:///db", {"dbname": "db"}),
    ("postgres://h/db", {"host": "h", "dbname": "db"}),
    ("postgresql+psycopg://h/db", {"host": "h", "dbname": "db"}),
    ("postgresql://pg1:5432,pg2:5433/db", {"host": "pg1,pg2", "port": "5432,5433", "dbname": "db"}),
    ("postgresql://pg1,pg2:5433/db", {"host": "pg1,pg2", "port": ",5433", "dbname": "db"}),
    (
        "postgresql://[::1]:5432/db?sslmode=require",
        {"host": "::1", "port": "5432", "dbname": "db", "sslmode": "require"},
    ),
    ("postgresql://u:p%40%25%2F@h/db", {"user": "u", "password": "p@%/", "host": "h", "dbname": "db"}),
    ("postgresql://u:100%@h/db", {"user": "u", "password": "100%", "host": "h", "dbname": "db"}),
]


@pytest.mark.parametrize(("url", "parameters"), TAKEN)
def test_every_form_of_libpq_is_accepted(url: str, parameters: dict[str, str]) -> None:
    assert normalize_database_url(url).startswith("postgresql+psycopg://")
    assert parse_postgresql(normalize_database_url(url)).parameters == parameters


OPTIONS = [
    ("-csearch_path=belfry", {"search_path": "belfry"}, None),
    ("-c search_path=a,b -c work_mem=8MB", {"search_path": "a,b", "work_mem": "8MB"}, None),
    (r"--application-name=a\ b", {"application_name": "a b"}, None),
    (
        "endpoint=ep-1 -c search_path=x",
        {"search_path": "x"},
        "endpoint=ep-1",
    ),  # for a connection router, which reads it at the start
]


@pytest.mark.parametrize(("options", "settings", "rest"), OPTIONS)
def test_the_settings_among_the_options_are_told_apart(
    options: str, settings: dict[str, str], rest: str | None
) -> None:
    found = parse_postgresql(f"postgresql://h/db?options={quote(options)}")
    assert found.settings == settings
    assert found.parameters.get("options") == rest


REFUSED = [
    ("", "is not set; set"),
    ("mysql://u:hidden@h/db", "begins with one of postgres://"),
    ("postgresql+asyncpg://u:hidden@h/db", "begins with one of postgres://"),
    ("postgresql://u:hidden@h:port/db", "a port is no number"),
    ("postgresql://u:hidden@h:70000/db", "a port is no number"),
    ("postgresql://u:hid/den@h/db", "percent-encode"),
    ("postgresql://u:hid@den@h/db", "more than one @"),
    ("postgresql://u:hidden@[::1/db", "cannot be read"),
    ("postgresql://u:hidden%00@h/db", "cannot be read"),
    ("postgresql://u:hidden@h/db?sslmod=require", "no parameter 'sslmod'"),
    ("postgresql://u@h/db?hidden=a@b", "cannot be read"),
    ("postgresql://u:hidden@h/db?sslmode=on", "its sslmode is unknown; set one of disable"),
    ("postgresql://u:hidden@h/db?target_session_attrs=master", "its target_session_attrs is unknown"),
    ("postgresql://u:hidden@h/db?target_session_attrs=standby", "Belfry writes; set one of any, read-write, primary"),
    ("postgresql://u:hidden@h/db?target_session_attrs=read-only", "Belfry writes; set one of"),
    ("postgresql://u:hidden@h/db?target_session_attrs=prefer-standby", "Belfry writes; set one of"),
    ("postgresql://u:hidden@h1,h2,h3/db?port=1,2", "hosts and ports differ in number"),
    ("postgresql://", "names neither a host nor a database"),
]


@pytest.mark.parametrize(("url", "message"), REFUSED)
def test_an_unusable_url_is_rejected_without_the_password(url: str, message: str) -> None:
    with pytest.raises(InvalidDatabaseUrl) as refusal:
        normalize_database_url(url)
    assert message in str(refusal.value)
    assert "; set " in str(refusal.value)
    assert not {"hid", "den", "hidden"} & set(str(refusal.value).replace("'", " ").replace("@", " ").split())
    assert "hidden" not in str(refusal.value)


def test_a_schema_named_by_the_url_holds_the_tables_and_all_that_is_written(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA shop")
    url = f"{postgres_url}?options=-csearch_path%3Dshop"
    migrate(normalize_database_url(url))
    database = Database(normalize_database_url(url))
    with database.snapshot() as conn:
        places = execute_prepared(
            conn, text("SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname !~ '^(pg_|info)'"), {}
        )
        assert places == [("shop",)]
        assert execute_prepared(conn, text("SELECT count(*) FROM epoch"), {}) == [(1,)]
    database.dispose()


def test_a_password_of_any_characters_reaches_the_server_through_the_migrations_too(postgres_url: str) -> None:
    password = "a%b@c/d:e?f#g%41 '\\"
    with role(postgres_url, password) as name:
        parts = urlsplit(postgres_url)
        place = parts.netloc.partition("@")[2]
        url = normalize_database_url(parts._replace(netloc=f"{name}:{quote(password, safe='')}@{place}").geturl())
        migrate(url)
        database = Database(url)
        database.check()
        database.dispose()


@contextmanager
def role(url: str, password: str) -> Iterator[str]:
    name = f"role_{urlsplit(url).path[1:]}"
    database = sql.Identifier(urlsplit(url).path[1:])
    with psycopg.connect(demand_service("BELFRY_POSTGRES_URL"), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)))
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(name)))
        try:
            yield name
        finally:
            admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO belfry").format(database))
            with psycopg.connect(url, autocommit=True) as there:
                there.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_server_on_a_unix_socket_is_used_and_given_up_when_it_falls_silent(services_folder: Path) -> None:
    sockets = services_folder / "s"
    sockets.mkdir(mode=0o777)
    sockets.chmod(0o777)
    with PostgreSQL(services_folder / "postgresql", unix_socket_directories=str(sockets)) as server:
        place = f"/postgres?host={quote(str(sockets), safe='')}&port={server.port}"
        database = Database(f"postgresql://belfry:{server.password}@{place}")
        database.check()
        with database.snapshot() as conn:  # longer than the time after which the server is asked whether it lives
            assert conn.execute(text("SELECT 1 FROM pg_sleep(3)")).scalar() == 1
            driver = conn.connection.driver_connection
            assert isinstance(driver, ServerConnection)
            assert driver.info.host == str(sockets)
        database.dispose()


def test_of_several_hosts_the_one_that_takes_writes_is_used() -> None:
    with (
        temporary_folder() as folder,
        PostgreSQL(folder / "primary") as primary,
        Standby(folder / "standby", primary) as standby,
    ):
        hosts = f"127.0.0.1:{free_port()},127.0.0.1:{standby.port},127.0.0.1:{primary.port}"
        for more in ("", "?target_session_attrs=read-write"):
            database = Database(
                normalize_database_url(f"postgresql://belfry:{primary.password}@{hosts}/postgres{more}")
            )
            with database.transaction() as conn:
                driver = conn.connection.driver_connection
                assert isinstance(driver, ServerConnection)
                assert driver.info.port == primary.port
            database.dispose()

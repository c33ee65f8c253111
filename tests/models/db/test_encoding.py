"""A database in another encoding than UTF8 is refused by each process, in one line that says what to do."""

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from dev.processes import free_port
from dev.stack import ROOT, command_environment, procfile
from models.db.database import Database, DatabaseUnavailable, DatabaseUnusable
from tests.conftest import demand_service

pytestmark = pytest.mark.slow

PROCESSES = {
    **procfile(),
    "migrations": ["alembic", "upgrade", "head"],
    "recount": ["python", "-m", "cli", "recount"],
    "new-epoch": ["python", "-m", "cli", "new-epoch"],
    "parked": ["python", "-m", "cli", "parked", "list"],
}


@pytest.fixture(params=["SQL_ASCII", "LATIN1"])
def encoding(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(encoding: str) -> Iterator[str]:
    admin_url = demand_service("BELFRY_POSTGRES_URL")
    name = f"test_{uuid4().hex}"
    create = sql.SQL("CREATE DATABASE {} ENCODING {} TEMPLATE template0 LOCALE 'C'")
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(create.format(sql.Identifier(name), sql.Literal(encoding)))
        try:
            yield urlsplit(admin_url)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.mark.parametrize("name", PROCESSES)
def test_no_process_starts_on_it(name: str, url: str, encoding: str) -> None:
    settings = {
        "DATABASE_URL": url,
        "BROKER_URL": "redis://127.0.0.1:1/0",
        "JWT_SECRET": "x" * 32,
        "JWT_JWKS_URL": "",
        "API_PORT": str(free_port()),
        "PUSH_PORT": str(free_port()),
    }
    command = [sys.executable, "-m", *PROCESSES[name]] if PROCESSES[name][0] != "python" else PROCESSES[name]
    command = [sys.executable, *command[1:]]
    done = subprocess.run(
        command, cwd=ROOT, env=command_environment(settings), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if encoding in line]
    assert len(lines) == 1, done.stderr
    assert "DATABASE_URL" in lines[0]
    assert "ENCODING 'UTF8' TEMPLATE template0" in lines[0]
    assert "Traceback" not in done.stderr


def test_a_process_that_started_without_its_database_finds_it_out_later(url: str) -> None:
    absent = Database("postgresql://belfry@127.0.0.1:1/belfry")
    absent.refuse_unusable()  # it may come back
    database = Database(url)
    for _ in range(2):  # also where the reason is remembered
        with pytest.raises(DatabaseUnusable, match="ENCODING 'UTF8'"), database.transaction():
            pass
    assert issubclass(DatabaseUnusable, DatabaseUnavailable)  # which the API answers by 503


def test_a_setting_that_the_server_refuses_is_named(postgres_url: str) -> None:
    database = Database(f"{postgres_url}?options=-cserch_path%3Dx")
    with pytest.raises(DatabaseUnusable, match="serch_path"):
        database.refuse_unusable()

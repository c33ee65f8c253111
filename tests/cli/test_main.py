"""`python -m cli`: its help, its errors and its exit codes, the same for every command."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.main import COMMANDS
from dev.stack import ROOT, command_environment
from models.db.database import Database
from models.notifications import accept
from models.notifications.accept import NewNotification
from models.schema.notifications import notifications
from settings import ALL
from tests.models.conftest import NOW

AWAY = "postgresql://belfry@127.0.0.1:1/belfry"
RUN = [["parked", "list"], ["recount"], ["new-epoch"]]
NO_DATABASE = "The database does not answer, or is not migrated. Look at DATABASE_URL.\n"


def run(*arguments: str, database_url: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command with this setting alone."""
    environ = command_environment(dict.fromkeys(ALL, "") | {"DATABASE_URL": database_url})
    command = [sys.executable, "-m", "cli", *arguments]
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)


def test_help_needs_no_environment_and_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: python -m cli " in done.stdout
    for command in COMMANDS:
        assert f"  {command.name} " in done.stdout


def test_no_command_and_an_unknown_one_exit_with_2() -> None:
    assert (run().returncode, run("parkd").returncode) == (2, 2)


@pytest.mark.parametrize("arguments", RUN, ids=" ".join)
def test_an_unusable_setting_is_named_and_exits_with_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "DATABASE_URL is not set" in done.stderr


@pytest.mark.parametrize("arguments", RUN, ids=" ".join)
def test_a_database_that_does_not_answer_or_is_not_migrated_exits_with_1(arguments: list[str], tmp_path: Path) -> None:
    for url in (AWAY, f"sqlite:///{tmp_path}/empty.sqlite"):
        done = run(*arguments, database_url=url)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", NO_DATABASE)


def test_a_reader_that_closes_the_pipe_early_is_no_error(sqlite_url: str, tmp_path: Path) -> None:
    database = Database(sqlite_url)
    many = [NewNotification("shop", "offer", f"offer {n}", recipients=("bob",)) for n in range(1_000)]
    with database.transaction() as conn:
        accept.accept(conn, many, NOW)
        conn.execute(notifications.update().values(parked_at=NOW, last_error="x" * 200))  # more than a pipe holds
    database.dispose()
    line = f"{sys.executable} -m cli parked list --limit 0 2>{tmp_path}/stderr | head -n 1"
    environ = command_environment(dict.fromkeys(ALL, "") | {"DATABASE_URL": sqlite_url})
    done = subprocess.run(["sh", "-c", line], env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("ID ")
    assert (tmp_path / "stderr").read_text() == ""

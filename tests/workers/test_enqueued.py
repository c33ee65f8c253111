"""Which tasks a worker enqueues for a batch: no more than can be done, so that other producers' tasks need not wait."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev.stack import ROOT, command_environment
from tests.models.conftest import migrate

ENVIRON = {"BROKER_URL": "amqp://host//", "JWT_SECRET": "x" * 32, "JWT_JWKS_URL": ""}
PRELUDE = """
from datetime import UTC, datetime, timedelta
from tests.support.one_worker import *

MANY = 30
TOPIC, BOB = {"topic": "boots"}, {"recipients": ("bob",)}

def deliver(ids):
    tasks.deliver.run([str(one) for one in ids])

def enqueued():
    return [(name.removeprefix("belfry."), *args) for name, args, _ in queue]
"""


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a migrated SQLite database, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "belfry.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(migrated: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated, tmp_path)}"


def run(database_url: str, script: str) -> None:
    """In a process of its own. The script asserts."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + script],
        env=command_environment({**ENVIRON, "DATABASE_URL": database_url}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_of_a_batch_of_broadcasts_one_at_a_time_is_enqueued(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(*[TOPIC] * MANY)
deliver(ids)
for id_ in ids:
    assert enqueued() == [("fan_out", str(id_))]
    run_next()
assert not queue
assert titles("bob") == [str(n) for n in range(MANY)]
""",
    )


def test_broadcasts_that_came_in_no_batch_are_all_enqueued(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = [accept(TOPIC)[0] for _ in range(MANY)] + accept(TOPIC, TOPIC)
deliver(ids)
assert enqueued() == [("fan_out", str(id_)) for id_ in ids[:-1]]
""",
    )


def test_the_relay_enqueues_the_first_and_looks_again_for_the_second_soon(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(*[TOPIC] * MANY)
change(ids, enqueue_at=datetime.now(UTC) - timedelta(seconds=1), enqueued=10)
tasks.relay.run()
assert enqueued() == [("fan_out", str(ids[0]))]
with database.read() as session:
    turns = {row.id: row.enqueue_at for row in session.execute(select(rows.c.id, rows.c.enqueue_at))}
soon = datetime.now(UTC) + timedelta(seconds=6)
assert [id_ for id_ in ids if turns[id_] < soon] == [ids[1]]
""",
    )


@pytest.mark.parametrize("end", ["cancelled_at", "parked_at"])
def test_the_relay_enqueues_the_second_when_the_first_no_longer_waits(sqlite_url: str, end: str) -> None:
    run(
        sqlite_url,
        f"""
ids = accept(*[TOPIC] * MANY)
change(ids[:1], {end}=datetime.now(UTC), enqueue_at=None)
change(ids[1:], enqueue_at=datetime.now(UTC) - timedelta(seconds=1))
tasks.relay.run()
assert enqueued() == [("fan_out", str(ids[1]))]
""",
    )


def test_a_direct_one_between_broadcasts_is_enqueued_when_the_one_before_it_ends(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(TOPIC, BOB, TOPIC, BOB)
deliver(ids)
while queue:
    assert len(queue) <= 2
    run_next()
assert titles("bob") == list("0123")
""",
    )


def test_an_attempt_that_had_to_wait_is_taken_back_whatever_fails_after_it(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
from models.db.database import DatabaseUnavailable

def fail(_):
    raise DatabaseUnavailable("busy")

delivering.held_inboxes.come_back_soon = fail
ids = accept(BOB, TOPIC)
try:
    tasks.fan_out.run(str(ids[1]), again=True)
except DatabaseUnavailable:
    pass
else:
    raise AssertionError("nothing had to wait")
with database.read() as session:
    assert session.scalars(select(rows.c.attempts)).all() == [0, 0]
""",
    )

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
with database.snapshot() as conn:
    turns = {row.id: row.enqueue_at for row in conn.execute(select(rows.c.id, rows.c.enqueue_at))}
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

delivering.locked_inboxes.reschedule = fail
ids = accept(BOB, TOPIC)
try:
    tasks.fan_out.run(str(ids[1]), again=True)
except DatabaseUnavailable:
    pass
else:
    raise AssertionError("nothing had to wait")
assert column("attempts") == [0, 0]
""",
    )


def test_after_the_death_of_a_worker_a_batch_is_read_once_and_not_for_each_of_it(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(*[{"recipients": ("carol",)}], *[BOB] * MANY, {"recipients": ("carol", "bob")}, BOB)
change(ids[1:], attempts=1, enqueued=1)
found, following = calls(delivering.batch_order, "order_of"), calls(delivering.batch_order, "next_of")
tasks.deliver.run([str(one) for one in ids[1:]], again=True)
assert titles("bob") == [str(n + 1) for n in range(MANY)]
assert column("attempts") == [0] * (MANY + 1) + [1, 1]
assert (len(found), len(following)) == (1, 1)
assert enqueued() == [("deliver", [str(ids[0])]), ("deliver", [str(one) for one in ids[-2:]])]
run_next(), run_next()
assert titles("bob") == [str(n + 1) for n in range(MANY + 2)]
""",
    )


def test_one_that_fails_alone_holds_back_those_behind_it(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(BOB, {"recipients": ("bob", "bob")}, {"recipients": ("carol",)}, BOB)
change(ids, attempts=1, enqueued=1)
tasks.deliver.run([str(one) for one in ids], again=True)
assert (titles("bob"), titles("carol")) == (["0"], ["2"])
assert column("attempts") == [0, 2, 0, 1]
""",
    )


def test_a_broadcast_that_failed_among_direct_ones_is_left_to_a_fan_out(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = [accept(TOPIC)[0], *accept(BOB, TOPIC)]
change(ids, attempts=1, enqueued=1)
tasks.deliver.run([str(one) for one in ids], again=True)
assert titles("bob") == ["0"]
assert {args for args in enqueued()} == {("fan_out", str(ids[0])), ("fan_out", str(ids[2]))}
while queue:
    run_next()
assert titles("bob") == ["0", "0", "1"]
""",
    )


@pytest.mark.parametrize("attempts", ["0", "1"])
def test_attempts_that_an_outage_prevented_are_taken_back(sqlite_url: str, attempts: str) -> None:
    run(
        sqlite_url,
        """
from models.db.database import DatabaseUnavailable
from models.retries.errors import PermanentError

ids = accept(*[BOB] * 8)
change(ids, attempts=ATTEMPTS, enqueued=ATTEMPTS)
outcomes = [PermanentError("one of them"), DatabaseUnavailable("busy")]

def fail(*_, **__):
    raise outcomes.pop(0)

delivering.delivery.deliver = fail
if ATTEMPTS:
    outcomes = outcomes[1:]
try:
    tasks.deliver.run([str(one) for one in ids], again=True)
except DatabaseUnavailable:
    pass
else:
    raise AssertionError("no outage")
assert column("attempts") == [ATTEMPTS] * 8
""".replace("ATTEMPTS", attempts),
    )


def test_what_is_parked_instead_of_a_further_attempt_holds_back_nothing(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(BOB, BOB)
change(ids[:1], attempts=6, enqueued=6)
tasks.deliver.run([str(ids[0])], again=True)
assert enqueued() == [("deliver", [str(ids[1])])]
run_next()
assert titles("bob") == ["1"]
""",
    )


@pytest.mark.parametrize(
    ("first", "end", "withdraw"),
    [
        ("BOB", "cancelled_at", "withdraw.run(str(ids[0]))"),
        ("TOPIC", "expires_at", "withdraw.run(str(ids[0]))"),
        ("BOB", "expires_at", "withdraw_named.run([str(ids[0])])"),
    ],
)
def test_what_ends_undelivered_lets_those_behind_it_go_at_once(
    sqlite_url: str, first: str, end: str, withdraw: str
) -> None:
    run(
        sqlite_url,
        f"""
ids = accept({first}, TOPIC, BOB, {{"recipients": ("carol",)}})
change(ids[:1], {end}=datetime.now(UTC))
for _ in range(2):
    tasks.{withdraw}
assert enqueued() == [("fan_out", str(ids[1]))]
while queue:
    run_next()
assert titles("bob") == ["1", "2"]
""",
    )


def test_a_withdrawal_that_came_back_lets_those_behind_it_go(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(BOB, BOB)
change(ids[:1], cancelled_at=datetime.now(UTC), withdrawn_at=datetime.now(UTC))
tasks.withdraw.push_request(delivery_info={"redelivered": True})
tasks.withdraw.run(str(ids[0]))
assert enqueued() == [("deliver", [str(ids[1])])]
""",
    )


def test_what_was_delivered_and_is_withdrawn_has_nothing_enqueued(sqlite_url: str) -> None:
    run(
        sqlite_url,
        """
ids = accept(BOB, BOB)
deliver(ids[:1])
queue.clear()
change(ids[:1], cancelled_at=datetime.now(UTC))
tasks.withdraw.run(str(ids[0]))
assert not queue
assert not titles("bob")
""",
    )


def test_a_busy_database_at_the_end_of_an_attempt_is_no_death_of_the_worker(sqlite_url: str) -> None:
    """The attempts begin while the database is well; at their end it is busy."""
    run(
        sqlite_url,
        """
import sqlite3
from contextlib import suppress
from models.db import sqlite
from models.db.database import DatabaseUnavailable

sqlite.LOCK_TIMEOUT_SECONDS = 0.05
REFUSED = {"recipients": ("bob", "bob")}
well, refused = accept(BOB, {"recipients": ("carol",)}), accept(REFUSED, {"recipients": ("carol",)})
other = sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None)
real_deliver = delivering.delivery.deliver

def deliver_and_go_busy(conn, ids, *args, **kwargs):
    try:
        real_deliver(conn, ids, *args, **kwargs)
        raise DatabaseUnavailable("busy")
    finally:
        conn.rollback()
        other.execute("BEGIN IMMEDIATE")

delivering.delivery.deliver = deliver_and_go_busy
for ids in (well[:1], refused[:1]):
    with suppress(DatabaseUnavailable):
        tasks.deliver.run([str(one) for one in ids], again=True)
    other.execute("ROLLBACK")
    tasks.relay.run()
assert column("attempts") == [0, 0, 1, 0]
assert column("last_error")[2].startswith("IntegrityError: UNIQUE")
""",
    )

"""The recount of the inboxes' counts: finds wrong counts, repairs them, and gets in nobody's way."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from models.db.database import Database
from models.inbox import marking, recount
from models.inbox import reading as inbox
from models.inbox.marking import Selection
from models.inbox.recount import Miscount
from models.inbox.rendering import Change
from models.inbox.versions import lock_inboxes
from models.schema.inbox import inboxes
from tests.models.conftest import NOW
from tests.models.world import Device
from tests.support import reading

Deliver = Callable[..., list[Change]]


@pytest.fixture
def people(receive: Deliver) -> None:
    """alice, bob and carol have two items each."""
    for _ in range(2):
        receive("alice", "bob", "carol")


def miscount(database: Database, owner: str, **counts: int) -> None:
    with database.transaction() as conn:
        conn.execute(update(inboxes).where(inboxes.c.recipient_id == owner).values(**counts))


def found(database: Database, *, repair: bool = False) -> list[Miscount]:
    return [one for _, miscounts in recount.recount(database, repair=repair) for one in miscounts]


@pytest.mark.usefixtures("people")
def test_right_counts_are_left_alone(database: Database) -> None:
    with database.transaction() as conn:
        marking.mark(conn, "bob", "read", Selection(through=1), now=NOW)
    assert found(database, repair=True) == []
    with database.snapshot() as conn:
        assert inbox.current_summary(conn, "bob").version == 3


@pytest.mark.usefixtures("people")
def test_wrong_counts_are_named_and_repaired(database: Database) -> None:
    miscount(database, "bob", unread=7)
    miscount(database, "carol", unseen=0)
    wrong = [Miscount("bob", 7, 2, 2, 2), Miscount("carol", 2, 0, 2, 2)]
    assert found(database) == wrong
    assert found(database, repair=True) == wrong
    assert found(database) == []


@pytest.mark.usefixtures("people")
def test_a_device_that_holds_the_wrong_counts_is_told_the_right_ones(database: Database) -> None:
    miscount(database, "bob", unread=7)
    device = Device(database, "bob")
    device.sync()
    assert device.unread == 7
    found(database, repair=True)
    device.sync()
    with database.snapshot() as conn:
        device.expect_the_same_as(reading.page(conn, "bob", state="all", limit=10))
    assert (device.unread, device.version) == (2, 3)


@pytest.mark.usefixtures("people")
def test_it_looks_at_every_inbox_batch_by_batch_while_others_write(
    database: Database, receive: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recount, "BATCH", 1)
    miscount(database, "carol", unread=0)
    progress = []
    for looked_at, miscounts in recount.recount(database, repair=True):
        receive("alice", "bob", "carol")
        progress.append((looked_at, [one.recipient_id for one in miscounts]))
    assert progress == [(1, []), (2, []), (3, ["carol"])]
    assert found(database) == []


def test_an_inbox_that_is_being_changed_is_waited_for_only_if_it_seems_wrong(postgres: Database) -> None:
    with postgres.transaction() as conn:
        inbox.open_inboxes(conn, ["alice", "bob"], NOW)
    miscount(postgres, "bob", unread=7)
    with postgres.transaction() as busy:
        assert lock_inboxes(busy, ["alice"]) == ["alice"]
        assert [one.recipient_id for one in found(postgres, repair=True)] == ["bob"]
    assert found(postgres) == []


def test_the_command_says_what_is_wrong_and_exits_by_it(database: Database) -> None:
    url = database.url
    environ = {"DATABASE_URL": url, "BROKER_URL": "redis://127.0.0.1:1/0", "JWT_SECRET": "s" * 32}

    def run(*arguments: str) -> Any:
        command = [sys.executable, "-m", "cli", "recount", *arguments]
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    with database.transaction() as conn:
        inbox.open_inboxes(conn, ["alice", "bob"], NOW)
    miscount(database, "bob", unread=7)
    first, repairing, last = run(), run("--repair"), run()
    assert [one.returncode for one in (first, repairing, last)] == [1, 0, 0]
    assert "'bob': unread 7, but 0 items are" in first.stdout
    assert first.stdout.endswith("2 inboxes looked at, 1 wrong.\n")
    assert repairing.stdout.endswith("2 inboxes looked at, 1 repaired.\n")
    assert last.stdout == "2 inboxes looked at, 0 wrong.\n"
    assert first.stderr == "2 inboxes, 1 wrong\n"

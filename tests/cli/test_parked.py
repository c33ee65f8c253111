"""`python -m cli parked` lists, retries and cancels parked notifications; the exit code tells the outcome."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from cli import parked
from cli.main import main
from models.db.database import Database
from models.notifications import accept, cancel, relay
from models.notifications.accept import NewNotification
from models.retries import parked as parking
from models.retries.errors import PermanentError
from models.retries.parked import ATTEMPTS
from models.schema.notifications import notifications as rows
from tests.models.conftest import NOW

NOBODY = uuid4()
ENVIRON = {"BROKER_URL": "redis://127.0.0.1:1/0", "JWT_SECRET": "s" * 32, "JWT_JWKS_URL": ""}

Run = Callable[..., tuple[int, str, str]]
Park = Callable[..., UUID]


@pytest.fixture(params=["postgres_url", "sqlite_url"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A migrated database, which DATABASE_URL names too."""
    url: str = request.getfixturevalue(request.param)
    for name, value in {**ENVIRON, "DATABASE_URL": url}.items():
        monkeypatch.setenv(name, value)
    database = Database(url)
    yield database
    database.dispose()


@pytest.fixture
def run(database: Database, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; returns its exit code, stdout and stderr."""

    def run_it(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["parked", *map(str, arguments)])
        return int(str(end.value.code)), *capsys.readouterr()

    return run_it


@pytest.fixture
def park(database: Database) -> Park:
    """Park notifications, each a second after the previous one."""
    moments = iter(NOW + timedelta(seconds=n) for n in range(100_000))

    def park_one(error: str = "a reason", producer: str = "shop", *, withdrawn: bool = False) -> UUID:
        now = next(moments)
        new = NewNotification(producer, "offer", "my secret", recipients=("alice", "bob"))
        with database.transaction() as conn:
            [id_] = ids(accept.accept(conn, [new], now))
            if withdrawn:
                cancel.cancel(conn, producer, id_, now)
            used = update(rows).where(rows.c.id == id_).values(attempts=ATTEMPTS - 1, enqueued=ATTEMPTS)
            conn.execute(used)
            assert parking.record_failure(conn, id_, PermanentError(error), now, counted=False)
        return id_

    return park_one


def ids(accepted: object) -> list[UUID]:
    assert isinstance(accepted, list)
    return [one for one in accepted if isinstance(one, UUID)]


def due(database: Database, now: datetime) -> relay.Due:
    with database.transaction() as conn:
        return relay.due(conn, now, 10_000)


def test_the_list_is_a_table_of_those_parked_longest_first(run: Run, park: Park) -> None:
    first, second = park("first reason"), park("second reason", producer="a producer with a very long name")
    code, out, _ = run("list")
    headings, *lines = out.splitlines()
    assert headings.split() == ["ID", "PRODUCER", "KIND", "PARKED", "SINCE", "ATTEMPTS", "ERROR"]
    assert lines[0].split() == [str(first), "shop", "offer", "2026-11-22T12:00:00Z", str(ATTEMPTS), "first", "reason"]
    assert lines[1].startswith(f"{second}  a producer with a v…  offer ")
    assert lines[1].endswith("second reason")
    assert (code, len(lines)) == (0, 2)


def test_a_long_list_is_cut_and_says_how_much_there_is(run: Run, park: Park, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parked, "BATCH", 2)
    parked_ids = [str(park()) for _ in range(5)]
    _, out, _ = run("list", "--limit", 3)
    assert [line.split()[0] for line in out.splitlines()] == ["ID", *parked_ids[:3], "3"]
    assert out.endswith("3 of 5; --limit 0 shows all.\n")
    _, out, _ = run("list", "--limit", 0)
    assert [line.split()[0] for line in out.splitlines()] == ["ID", *parked_ids]


@pytest.mark.parametrize("command", [("list",), ("retry", "--all"), ("drop", "--all", "--yes")])
def test_without_parked_notifications_the_commands_say_so_and_succeed(run: Run, command: tuple[str, ...]) -> None:
    assert run(*command) == (0, "Nothing is parked.\n", "")


def test_control_characters_from_producers_are_escaped(run: Run, park: Park) -> None:
    id_ = park("x\x1b[2J\ny", producer="a\x1b]0;b\r\nc")
    for out in (run("list")[1], run("show", id_)[1]):
        assert not set(out) & {"\x1b", "\r"}
        assert "a\\x1b]0;b\\r\\nc" in out
    assert len(run("list")[1].splitlines()) == 2


def test_show_prints_everything_but_the_content(run: Run, park: Park) -> None:
    id_ = park()
    code, out, _ = run("show", id_)
    fields = dict(
        line.split(maxsplit=1) for line in out.replace("parked since", "parked").splitlines() if line[0] != "f"
    )
    assert (fields["id"], fields["error"], fields["reached"]) == (str(id_), "a reason", "0 inboxes")
    assert "failed to     deliver\n" in out
    assert "for           2 recipients\n" in out
    assert "secret" not in out
    assert code == 0


def test_retry_makes_a_notification_due_at_once(run: Run, park: Park, database: Database) -> None:
    first, second = park(), park()
    assert run("retry", first) == (0, "1 will be tried again within seconds.\n", "")
    assert due(database, datetime.now(NOW.tzinfo)).deliver == [first]
    assert run("show", first)[0] == 1
    assert run("show", second)[0] == 0


def test_drop_cancels_a_notification(run: Run, park: Park, database: Database) -> None:
    first, second, third = park(), park(), park()
    assert run("drop", first, second) == (0, "2 cancelled.\n", "")
    found = due(database, datetime.now(NOW.tzinfo))
    assert (found.deliver, found.withdraw) == ([], [first, second])
    assert run("show", third)[0] == 0


def test_all_are_retried_in_batches_with_progress(
    run: Run, park: Park, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parked, "BATCH", 2)
    parked_ids = [park() for _ in range(5)]
    code, out, progress = run("retry", "--all")
    assert (code, out) == (0, "5 will be tried again within seconds.\n")
    assert progress == "2 of 5\n4 of 5\n5 of 5\n"
    assert due(database, datetime.now(NOW.tzinfo)).deliver == parked_ids


def test_all_are_dropped_only_with_yes(run: Run, park: Park) -> None:
    park()
    park()
    assert run("drop", "--all") == (2, "", "This cancels 2 notifications for good. Say --yes as well.\n")
    assert len(run("list")[1].splitlines()) == 3
    assert run("drop", "--all", "--yes")[:2] == (0, "2 cancelled.\n")
    assert run("list")[1] == "Nothing is parked.\n"


def test_a_withdrawal_is_not_dropped_and_is_reported(run: Run, park: Park) -> None:
    well, withdrawn = park(), park(withdrawn=True)
    code, out, complaint = run("drop", "--all", "--yes")
    assert (code, out) == (1, "1 cancelled.\n")
    assert f"{withdrawn} was cancelled or has expired" in complaint
    assert run("show", well)[0] == 1
    assert run("retry", withdrawn)[0] == 0


@pytest.mark.parametrize("command", ["show", "retry", "drop"])
def test_an_id_of_nothing_parked_is_named(run: Run, park: Park, command: str) -> None:
    code, _, complaint = run(command, NOBODY)
    assert (code, complaint) == (1, f"{NOBODY} is not parked.\n")


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        (("show", "42"), "42"),
        (("retry", "order 41"), "order 41"),
        (("retry",), "Name the ids of parked notifications, or say --all."),
        (("drop", NOBODY, "--all", "--yes"), "Name the ids of parked notifications, or say --all."),
        (("list", "--limit", "-1"), "-1"),
        (("park",), "park"),
        ((), "list|show|retry|drop"),
    ],
)
def test_invalid_arguments_are_rejected_and_change_nothing(
    run: Run, park: Park, command: tuple[object, ...], wrong: str
) -> None:
    park()
    code, out, complaint = run(*command)
    assert (code, out) == (2, "")
    assert wrong in complaint
    assert len(run("list")[1].splitlines()) == 2

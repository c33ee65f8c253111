"""What cannot be done is parked with its error, the queue flows on beside it, and the operator has the last word."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from kombu import Connection
from sqlalchemy import func, select, text, update

from dev.processes import wait_for
from dev.stack import ROOT, Stack
from models.db.database import Database, DatabaseUnavailable
from models.schema.notifications import notifications
from tests.support.people import TIMEOUT, Person
from workers.queues import DELIVER, DELIVERIES_QUEUE, FAN_OUT, RELAY, make_celery

MakePerson = Callable[..., Person]

REFUSE = "refused by a trigger"
TRIGGERS = {
    "postgresql": (
        f"CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION '{REFUSE}'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER poison BEFORE INSERT ON inbox_items FOR EACH ROW WHEN (NEW.kind = 'poison')"
        " EXECUTE FUNCTION refuse()",
        "CREATE TRIGGER sticky BEFORE DELETE ON inbox_items FOR EACH ROW WHEN (OLD.kind = 'sticky')"
        " EXECUTE FUNCTION refuse()",
    ),
    "sqlite": (
        "CREATE TRIGGER poison BEFORE INSERT ON inbox_items WHEN NEW.kind = 'poison'"
        f" BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END",
        "CREATE TRIGGER sticky BEFORE DELETE ON inbox_items WHEN OLD.kind = 'sticky'"
        f" BEGIN SELECT RAISE(ABORT, '{REFUSE}'); END",
    ),
}
REPAIRS = {
    "postgresql": ("DROP FUNCTION refuse CASCADE",),
    "sqlite": ("DROP TRIGGER poison", "DROP TRIGGER sticky"),
}
both = pytest.mark.parametrize("stack", ["postgresql+rabbitmq", "sqlite+embedded"], indirect=True)


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    database = Database(stack.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    yield database
    database.dispose()


def run(database: Database, *statements: str) -> None:
    """SQLite may be busy for longer than a writer waits for it; then again."""

    def has_run() -> bool:
        with suppress(DatabaseUnavailable), database.transaction() as conn:
            for statement in statements:
                conn.execute(text(statement))
            return True
        return False

    wait_for(has_run, 2 * TIMEOUT, "the database to take a statement")


def attempts_of_all(database: Database) -> int:
    with database.snapshot() as conn:
        return conn.scalar(select(func.sum(notifications.c.attempts))) or 0


def gauge(person: Person, name: str) -> float:
    lines = person.call("GET", "/metrics").text.splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
    return float(value)


def hasten(stack: Stack, database: Database) -> None:
    """Let the relay have its next turn now at what failed at this one; a person would wait for two minutes."""
    had_its_attempt = notifications.c.attempts > notifications.c.enqueued
    failing = update(notifications).where(notifications.c.parked_at.is_(None), had_its_attempt)
    hastened = 0
    with suppress(DatabaseUnavailable), database.transaction() as conn:  # SQLite may be busy: whoever polls comes again
        hastened = conn.execute(failing.values(enqueue_at=datetime.now(UTC))).rowcount
    if hastened:
        make_celery(stack.environ["BROKER_URL"]).send_task(RELAY)


def wait_until_parked(stack: Stack, database: Database, person: Person, count: int) -> None:
    def parked() -> bool:
        hasten(stack, database)
        return gauge(person, "belfry_parked_notifications") == count

    wait_for(parked, 6 * TIMEOUT, f"{count} to be parked")


def command(stack: Stack, *arguments: str) -> str:
    line = [sys.executable, "-m", "cli", "parked", *arguments]
    done = subprocess.run(line, env=stack.environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@both
def test_what_is_refused_is_parked_others_pass_by_and_repaired_it_arrives(
    stack: Stack, database: Database, person: MakePerson
) -> None:
    shop, bob, carol, dora = person("shop", "notify"), person("bob"), person("carol"), person("dora")
    bob.subscribe("boots")
    sticky = shop.notify(recipients=[carol.name], kind="sticky")
    carol.expect_stored(1)
    run(database, *TRIGGERS[database.engine.dialect.name])

    assert shop.call("DELETE", f"/v1/notifications/{sticky}").status_code == 204
    fan_out = shop.notify(topic="boots", kind="poison", body="my secret")
    one = {"kind": "well", "title": "well", "recipients": [bob.name]}
    poison = {**one, "kind": "poison", "body": "my secret", "recipients": [dora.name]}
    batch = {"notifications": [one, poison, one, poison, one]}
    ids = [accepted["id"] for accepted in shop.ok("POST", "/v1/notifications/batch", batch)["notifications"]]
    assert [item["id"] for item in reversed(bob.expect_stored(3))] == ids[::2]

    wait_until_parked(stack, database, bob, 4)
    assert gauge(bob, "belfry_undelivered_notifications") == 0
    table = command(stack, "list")
    assert all(f"{id_}  {shop.name}" in table for id_ in (sticky, fan_out, ids[1], ids[3]))
    assert table.count(REFUSE) == 4
    assert [shop.ok("GET", f"/v1/notifications/{id_}")["status"] for id_ in (ids[1], sticky)] == [
        "accepted",
        "cancelled",
    ]
    assert "secret" not in table + stack["worker"].output()

    command(stack, "drop", ids[1])
    run(database, *REPAIRS[database.engine.dialect.name])
    assert command(stack, "retry", "--all") == "3 will be tried again within seconds.\n"
    assert {item["id"] for item in bob.expect_stored(4)} == {*ids[::2], fan_out}
    assert [item["id"] for item in dora.expect_stored(1)] == [ids[3]]
    wait_for(lambda: carol.items() == [], TIMEOUT, "the recalled one to be gone")
    assert shop.ok("GET", f"/v1/notifications/{ids[1]}")["status"] == "cancelled"
    assert gauge(bob, "belfry_parked_notifications") == 0
    assert command(stack, "list") == "Nothing is parked.\n"


@both
def test_what_cannot_be_withdrawn_keeps_no_other_that_expires_with_it(
    stack: Stack, database: Database, person: MakePerson
) -> None:
    shop, bob, carol = person("shop", "notify"), person("bob"), person("carol")
    end = (datetime.now(UTC) + timedelta(seconds=4)).isoformat()
    kinds = {"well": bob.name, "sticky": carol.name, "as well": bob.name}
    news = [{"kind": kind, "title": "t", "recipients": [who], "expires_at": end} for kind, who in kinds.items()]
    ids = [one["id"] for one in shop.ok("POST", "/v1/notifications/batch", {"notifications": news})["notifications"]]
    bob.expect_stored(2)
    carol.expect_stored(1)
    before = stack["worker"].output()
    run(database, *TRIGGERS[database.engine.dialect.name])
    wait_for(lambda: bob.items() == [], TIMEOUT, "what expires with it to be gone")
    sticky = select(notifications.c.attempts, notifications.c.last_error).where(notifications.c.id == UUID(ids[1]))

    def attempted() -> bool:
        with database.snapshot() as conn:
            attempts, error = conn.execute(sticky).one()
        return bool(attempts) and REFUSE in error

    wait_for(attempted, TIMEOUT, "the other one to be tried for itself")
    assert "Traceback" not in stack["worker"].output().removeprefix(before)
    run(database, *REPAIRS[database.engine.dialect.name])

    def gone() -> bool:
        hasten(stack, database)
        return carol.items() == []

    wait_for(gone, 2 * TIMEOUT, "the repaired one to be gone")


@both
def test_what_is_no_task_of_ours_is_dropped_and_the_worker_goes_on(
    stack: Stack, database: Database, person: MakePerson
) -> None:
    alice, bob = person("alice"), person("bob")
    counted = attempts_of_all(database)
    celery = make_celery(stack.environ["BROKER_URL"])
    before, worker = stack["worker"].output(), stack["worker"].pid
    for name, args in [
        ("belfry.unknown", [["x"]]),
        (DELIVER, []),
        (DELIVER, ["x"]),
        (DELIVER, [["no id"], False, "more"]),
        (DELIVER, [[1, None, {}]]),
        (FAN_OUT, [["x"]]),
    ]:
        celery.send_task(name, args=args, queue=DELIVERIES_QUEUE)
    with Connection(stack.environ["BROKER_URL"]) as connection:
        producer = connection.Producer()
        place = {"exchange": "", "routing_key": DELIVERIES_QUEUE}
        producer.publish(b"\x80\x04no json", content_type="application/json", content_encoding="utf-8", **place)
        producer.publish({"no": "task"}, serializer="json", **place)
    id_ = alice.message(bob.name, "behind them")
    assert [item["id"] for item in bob.expect_stored(1)] == [id_]

    def written() -> str:
        return stack["worker"].output().removeprefix(before)

    wait_for(lambda: written().count("TypeError") and written().count("belfry.unknown"), TIMEOUT, "the log")
    assert (stack["worker"].pid, stack["worker"].running) == (worker, True)
    assert attempts_of_all(database) == counted

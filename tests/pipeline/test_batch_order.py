"""A batch arrives in its order, whatever keeps some of it waiting."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import update

from dev.processes import wait_for
from dev.stack import Stack
from models.db.database import Database
from models.notifications import accept as notifications
from models.notifications.accept import NewNotification
from models.retries.parked import ATTEMPTS
from models.schema.notifications import notifications as rows
from tests.pipeline.conftest import own_broker
from tests.support.people import TIMEOUT, Person
from tests.support.stack import start_stack
from workers.queues import DELIVER, make_celery

MakePerson = Callable[..., Person]

MANY = 1_000
RELAYED_WITHIN = 60.0  # seconds, on a busy machine: the relay looks every two
on_postgres = pytest.mark.parametrize("stack", ["postgresql+rabbitmq"], indirect=True)


def post(shop: Person, *members: dict[str, Any]) -> None:
    news = [{"kind": "offer", "title": str(n), **one} for n, one in enumerate(members)]
    shop.ok("POST", "/v1/notifications/batch", {"notifications": news})


def titles(owner: Person) -> list[str]:
    """Oldest first."""
    return [item["title"] for item in reversed(owner.items())]


def expect(owner: Person, *places: int, within: float = TIMEOUT) -> None:
    wait_for(lambda: len(owner.items()) >= len(places), within, f"{len(places)} items in {owner.name}'s inbox")
    assert titles(owner) == [str(place) for place in places]


@contextmanager
def held(stack: Stack, name: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(stack.environ["DATABASE_URL"]) as holder:
        holder.execute("SELECT 1 FROM inboxes WHERE recipient_id = %s FOR UPDATE", [name])
        yield holder


@pytest.mark.parametrize("broker_name", ["rabbitmq", "embedded"])
def test_what_was_posted_while_the_broker_was_down(broker_name: str, services_folder: Path) -> None:
    with ExitStack() as stack:
        broker, database_url, broker_url = stack.enter_context(own_broker(broker_name, services_folder, stack))
        running = stack.enter_context(start_stack(services_folder, database_url, broker_url))
        shop, bob = Person("shop", running, "notify"), Person("bob", running)
        broker.kill()
        post(shop, *[{"recipients": ["bob"]}] * MANY)
        broker.start()
        expect(bob, *range(MANY), within=RELAYED_WITHIN)


def test_while_its_later_part_is_the_first_to_be_tried(stack: Stack, person: MakePerson) -> None:
    bob, carol = person("bob"), person("carol")
    with open_database(stack) as database:
        ids = accept(database, *[(bob.name,)] * 40, (carol.name,))
    send(stack, ids[20:])
    expect(carol, 40)
    assert titles(bob)[:1] in ([], ["0"])  # what carol's delivery finds waiting may be there already, all of it
    send(stack, ids[:20])
    expect(bob, *range(40))


@on_postgres
def test_while_somebody_holds_the_inbox_of_one_of_its_recipients(stack: Stack, person: MakePerson) -> None:
    shop, x, y, z = person("shop", "notify"), person("x"), person("y"), person("z")
    x.summary()
    with held(stack, x.name):
        post(shop, {"recipients": [x.name, y.name]}, {"recipients": [y.name]}, {"recipients": [z.name]})
        expect(z, 2)
        assert titles(y) == []
    expect(y, 0, 1, within=RELAYED_WITHIN)
    expect(x, 0)


def test_while_one_of_it_is_refused_until_it_is_given_up(stack: Stack, person: MakePerson) -> None:
    bob, carol = person("bob"), person("carol")
    twice = (bob.name, bob.name)  # the API refuses it; the schema does too
    with open_database(stack) as database:
        ids = accept(database, twice, (bob.name,), (carol.name,), (bob.name,))
        send(stack, ids)
        expect(carol, 2)
        assert titles(bob) == []
        with database.transaction() as conn:  # as if it had been tried for a minute
            last = update(rows).where(rows.c.id == ids[0])
            conn.execute(last.values(attempts=ATTEMPTS - 1, enqueued=ATTEMPTS, enqueue_at=datetime.now(UTC)))
        expect(bob, 1, 3, within=RELAYED_WITHIN)


def test_between_broadcasts(person: MakePerson) -> None:
    shop, bob, carol, stranger = person("shop", "notify"), person("bob"), person("carol"), person("stranger")
    topic = f"boots/{shop.name}"
    many = [f"{topic}/{n:03}" for n in range(900)]
    shop.ok("PUT", f"/v1/topics/{topic}/subscribers", {"add": [bob.name, carol.name, *many]})
    to_bob, to_all = {"recipients": [bob.name]}, {"topic": topic}
    post(shop, to_bob, to_all, to_bob, {"recipients": [stranger.name]}, to_all, to_bob)
    expect(bob, 0, 1, 2, 4, 5)
    expect(carol, 1, 4)
    expect(stranger, 3)


@contextmanager
def open_database(stack: Stack) -> Iterator[Database]:
    database = Database(stack.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    try:
        yield database
    finally:
        database.dispose()


def accept(database: Database, *audiences: tuple[str, ...]) -> list[UUID]:
    new = [
        NewNotification("shop", "offer", str(n), recipients=one, batch="a digest") for n, one in enumerate(audiences)
    ]
    with database.transaction() as conn:
        return notifications.accept(conn, new, datetime.now(UTC))


def send(stack: Stack, ids: list[UUID]) -> None:
    with make_celery(stack.environ["BROKER_URL"]) as celery:
        celery.send_task(DELIVER, args=[[str(one) for one in ids]])

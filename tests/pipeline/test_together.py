"""What is many, broken or restarting does not hold up what is single and well."""

from collections.abc import Callable
from datetime import UTC, datetime

from dev.processes import wait_for
from dev.stack import Stack
from models.db.database import Database
from models.notifications import accept, cancel
from models.notifications.accept import NewNotification
from tests.support.people import TIMEOUT, Device, Person
from workers.queues import DELIVER, make_celery

MakePerson = Callable[..., Person]
TurnOn = Callable[[Person], Device]

TURNS = 5


def undelivered(person: Person) -> float:
    lines = person.call("GET", "/metrics").text.splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith("belfry_undelivered_notifications ")]
    return float(value)


def test_a_message_does_not_wait_behind_broadcasts(person: MakePerson) -> None:
    shop, alice, bob = person("shop", "notify"), person("alice"), person("bob")
    topic = f"everyone of {shop.name}"
    for thousand in range(6):
        many = [f"{shop.name}: {thousand}-{n:03}" for n in range(1_000)]
        shop.ok("PUT", f"/v1/topics/{topic}/subscribers", {"add": many})
    meanwhile = {"to": bob.name, "text": "meanwhile"}  # 503 while SQLite's one lock is held for two seconds: again
    for turn in range(1, TURNS + 1):
        for _ in range(8):
            shop.notify(topic=topic)
        wait_for(lambda: alice.call("POST", "/v1/messages", meanwhile).status_code == 202, TIMEOUT, "the API to accept")
        bob.expect_stored(turn)
        if undelivered(alice) > 0:  # else it came when the broadcasts were over, which shows nothing
            break
    else:
        raise AssertionError("no message came before the broadcasts were over")
    wait_for(lambda: undelivered(alice) == 0, 90, "the broadcasts to be over")


def test_a_broken_notification_does_not_hold_up_its_batch(stack: Stack, person: MakePerson) -> None:
    bob = person("bob")
    database = Database(stack.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"))
    twice = (bob.name, bob.name)  # the API refuses it; the schema does too
    new = [
        NewNotification("shop", "offer", "well", recipients=(bob.name,)),
        NewNotification("shop", "offer", "broken", recipients=twice),
        NewNotification("shop", "offer", "well too", recipients=(bob.name,)),
    ]
    with database.transaction() as conn:
        ids = accept.accept(conn, new, datetime.now(UTC))
    make_celery(stack.environ["BROKER_URL"]).send_task(DELIVER, args=[[str(one) for one in ids]])
    assert {item["title"] for item in bob.expect_stored(2)} == {"well", "well too"}
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", ids[1], datetime.now(UTC))
    database.dispose()


def test_clients_come_back_after_the_push_server_was_restarted(
    stack: Stack, person: MakePerson, device: TurnOn
) -> None:
    alice, bob = person("alice"), person("bob")
    screen = device(bob)
    stack["push"].stop()
    alice.message(bob.name, "meanwhile")
    stack["push"].start()
    screen.expect_item(body="meanwhile")
    alice.message(bob.name, "after")
    screen.expect_item(body="after")
    wait_for(lambda: screen.versions == [1, 2], TIMEOUT, "both, once")

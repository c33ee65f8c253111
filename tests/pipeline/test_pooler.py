"""All of Belfry behind pgbouncer: no request fails, and what was accepted arrives once."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.postgresql import PostgreSQL
from dev.rabbitmq import RabbitMQ
from dev.services import temporary_folder
from dev.stack import Stack
from tests.conftest import demand_service
from tests.support import wait_for
from tests.support.fresh import fresh_vhost
from tests.support.people import Device, Person
from tests.support.pgbouncer import PgBouncer
from tests.support.stack import start_stack

ROUNDS = 60
CALLERS = 12
PEOPLE = 6
POOL = 5  # connections of the server, for several times as many transactions


@pytest.fixture(
    scope="module",
    params=[
        ("session", 60, ""),
        ("transaction", POOL, ""),
        ("transaction", POOL, "ignore_startup_parameters = options"),
    ],
    ids=["session", "transaction", "transaction, options ignored"],
)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    mode, size, more = request.param
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        server = stack.enter_context(PostgreSQL(folder / "postgresql"))
        pooler = stack.enter_context(PgBouncer(folder / "pgbouncer", server, mode, pool_size=size, more=more))
        broker = stack.enter_context(fresh_vhost(RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))))
        yield stack.enter_context(start_stack(folder, pooler.url, broker))


def test_under_load_no_request_fails_and_everything_arrives_once(stack: Stack) -> None:
    shop = [Person("shop", stack, "notify", "inbox") for _ in range(CALLERS)]
    people = [[Person(f"user {n}", stack, "inbox", "follow", "message") for n in range(PEOPLE)] for _ in range(CALLERS)]
    screen = Device("user 0", stack)

    def work(caller: int) -> list[int]:
        return [status for n in range(ROUNDS // CALLERS) for status in one_round(shop[caller], people[caller], n)]

    with ThreadPoolExecutor(CALLERS) as many:
        statuses = Counter(status for found in many.map(work, range(CALLERS)) for status in found)
    assert set(statuses) <= {200, 202, 204}, statuses
    everyone = [f"user {n}" for n in range(PEOPLE)]
    sent = ROUNDS * 2  # each round tells everyone by a notification, and once more by a batch
    for name in everyone:
        wait_for(lambda name=name: delivered(stack, name) >= sent, 40, f"all for {name}")  # type: ignore[misc]
    assert [delivered(stack, name) for name in everyone] == [sent] * PEOPLE
    wait_for(lambda: len(screen.arrived) >= sent, 30, "the screen to show all")
    screen.close()
    for process in ("api", "worker"):
        assert "PreparedStatement" not in stack[process].output()


def one_round(shop: Person, people: list[Person], n: int) -> list[int]:
    """What a product does, reads among writes; answers what was answered."""
    names = [person.name for person in people]
    kind = {"kind": "offer", "title": f"Boots {n}"}
    answers = [
        shop.call("POST", "/v1/notifications", {"recipients": names, **kind}),
        shop.call("POST", "/v1/notifications/batch", {"notifications": [{"recipients": names, **kind}]}),
    ]
    for person in people:
        answers += [
            person.call("GET", "/v1/inbox"),
            person.call("GET", "/v1/inbox/summary"),
            person.call("GET", "/v1/inbox/changes?since=0&limit=5"),
            person.call("POST", "/v1/inbox/seen", {"through": n + 1}),
            person.call("GET", "/v1/subscriptions"),
        ]
    return [answer.status_code for answer in answers]


def delivered(stack: Stack, name: str) -> int:
    return len(Person(name, stack).items())

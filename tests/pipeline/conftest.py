"""The pipeline as real processes, on each pair of database and broker that Belfry runs on."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from ops.embedded import embedded
from ops.processes import free_port
from ops.rabbitmq import RabbitMQ
from ops.services import temporary_folder
from ops.stack import Stack
from tests.conftest import demand_service
from tests.support.fresh import fresh_database, fresh_vhost
from tests.support.people import Device, Person

PAIRS = ("postgresql+rabbitmq", "postgresql+redis", "sqlite+embedded")

_names = count(1)


def ports() -> dict[str, str]:
    return {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port()), "JWT_SECRET": secrets.token_hex(32)}


@pytest.fixture(scope="module", params=PAIRS)
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """All processes, for the tests of one module; tests keep apart by the names of their people."""
    with ExitStack() as stack, temporary_folder() as folder:
        environ = ports() | services(request.param, stack)
        found = stack.enter_context(embedded(folder, environ))
        yield stack.enter_context(Stack(folder, found))


def services(pair: str, stack: ExitStack) -> dict[str, str]:
    """Where this pair's database and broker are; nothing where they are embedded."""
    if pair == "sqlite+embedded":
        return {}
    database = stack.enter_context(fresh_database(demand_service("BELFRY_POSTGRES_URL")))
    if pair == "postgresql+redis":
        return {"DATABASE_URL": database, "BROKER_URL": demand_service("BELFRY_REDIS_URL").rsplit("/", 1)[0] + "/511"}
    broker = RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))
    return {"DATABASE_URL": database, "BROKER_URL": stack.enter_context(fresh_vhost(broker))}


@pytest.fixture
def person(stack: Stack) -> Callable[..., Person]:
    """A person whose name no other test uses."""

    def make(name: str, *scopes: str) -> Person:
        return Person(f"{name} {next(_names)}", stack, *scopes)

    return make


@pytest.fixture
def device(stack: Stack) -> Iterator[Callable[..., Device]]:
    """A screen of a person, online until the test ends."""
    open_devices: list[Device] = []

    def turn_on(owner: Person) -> Device:
        open_devices.append(Device(owner.name, stack))
        return open_devices[-1]

    yield turn_on
    for one in open_devices:
        one.close()

"""The pipeline as real processes, on each pair of database and broker that Belfry runs on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import pytest

from dev.processes import Process
from dev.rabbitmq import RabbitMQ
from dev.redis import EmbeddedRedis
from dev.services import temporary_folder
from dev.stack import Stack
from tests.conftest import demand_service
from tests.support.fresh import fresh_database, fresh_vhost
from tests.support.people import Device, Person
from tests.support.stack import start_stack

PAIRS = ("postgresql+rabbitmq", "postgresql+redis", "sqlite+embedded")

_names = count(1)


@pytest.fixture(scope="module", params=PAIRS)
def stack(request: pytest.FixtureRequest, module_redis_url: str) -> Iterator[Stack]:
    """All processes, for the tests of one module; tests keep apart by the names of their people."""
    with ExitStack() as stack, temporary_folder() as folder:
        database_url, broker_url = services(request.param, folder, stack, module_redis_url)
        yield stack.enter_context(start_stack(folder, database_url, broker_url))


def services(pair: str, folder: Path, stack: ExitStack, redis_url: str) -> tuple[str, str]:
    """A database and a broker of this pair, empty, until the stack is closed."""
    if pair == "sqlite+embedded":
        return f"sqlite:///{folder}/belfry.db", stack.enter_context(EmbeddedRedis(folder / "redis.log")).url
    database_url = stack.enter_context(fresh_database(demand_service("BELFRY_POSTGRES_URL")))
    if pair == "postgresql+redis":
        return database_url, redis_url
    broker = RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))
    return database_url, stack.enter_context(fresh_vhost(broker))


@contextmanager
def own_broker(name: str, folder: Path, stack: ExitStack) -> Iterator[tuple[Process, str, str]]:
    """A broker that may be stopped, the URL of a database, and the broker's."""
    if name == "rabbitmq":
        database_url = stack.enter_context(fresh_database(demand_service("BELFRY_POSTGRES_URL")))
        with RabbitMQ(folder / "rabbitmq") as rabbitmq:
            yield rabbitmq, database_url, rabbitmq.url
    else:
        with EmbeddedRedis(folder / "redis.log") as redis:
            yield redis, f"sqlite:///{folder}/belfry.db", redis.url


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

"""202 is a promise: what was accepted while the broker was away arrives when it is back, without anyone's doing."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ops.embedded import embedded
from ops.processes import Process, wait_for
from ops.rabbitmq import RabbitMQ
from ops.redis import EmbeddedRedis
from ops.stack import Stack
from tests.conftest import demand_service
from tests.pipeline.conftest import ports
from tests.support.fresh import fresh_database
from tests.support.people import Device, Person

WITHOUT_A_BROKER = 2.0  # seconds in which a POST is answered all the same


@contextmanager
def own_broker(name: str, folder: Path, stack: ExitStack) -> Iterator[tuple[Process, dict[str, str]]]:
    """A broker that may be stopped, and the environment of a stack on it."""
    if name == "rabbitmq":
        demand_service("BELFRY_RABBITMQ_FOLDER")
        database = stack.enter_context(fresh_database(demand_service("BELFRY_POSTGRES_URL")))
        (folder / "rabbitmq").mkdir()
        with RabbitMQ(folder / "rabbitmq") as rabbitmq:
            yield rabbitmq, {"DATABASE_URL": database, "BROKER_URL": rabbitmq.url}
    else:
        with EmbeddedRedis(folder / "redis.log") as redis:
            yield redis, {"BROKER_URL": redis.url}


@pytest.mark.parametrize("broker_name", ["rabbitmq", "embedded"])
def test_what_is_posted_while_the_broker_is_down_arrives_when_it_is_back(
    broker_name: str, services_folder: Path
) -> None:
    with ExitStack() as stack:
        broker, environ = stack.enter_context(own_broker(broker_name, services_folder, stack))
        found = stack.enter_context(embedded(services_folder / "data", ports() | environ))
        running = stack.enter_context(Stack(services_folder, found))
        alice, bob = Person("alice", running), Person("bob", running)
        screen = Device("bob", running)
        stack.callback(screen.close)
        alice.message("bob", "before")
        screen.expect_item(body="before")

        broker.kill()
        slowest = 0.0
        for n in range(3):
            started = time.monotonic()
            alice.message("bob", f"meanwhile {n}")
            slowest = max(slowest, time.monotonic() - started)
        assert slowest < WITHOUT_A_BROKER
        assert alice.call("GET", "/readyz").status_code == 503
        assert len(bob.items()) == 1

        broker.start()
        assert {item["body"] for item in bob.expect_stored(4)} == {"before"} | {f"meanwhile {n}" for n in range(3)}
        wait_for(lambda: screen.inbox.version == 4, 40, "the screen to catch up")
        alice.message("bob", "after")
        screen.expect_item(body="after")
        assert screen.versions == [1, 2, 3, 4, 5]

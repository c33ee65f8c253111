"""202 is a promise: what was accepted while the broker was away arrives when it is back, without anyone's doing."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.processes import wait_for
from tests.pipeline.conftest import own_broker
from tests.support.people import Device, Person
from tests.support.stack import start_stack

WITHOUT_A_BROKER = 2.0  # seconds in which a POST is answered all the same


@pytest.mark.parametrize("broker_name", ["rabbitmq", "embedded"])
def test_what_is_posted_while_the_broker_is_down_arrives_when_it_is_back(
    broker_name: str, services_folder: Path
) -> None:
    with ExitStack() as stack:
        broker, database_url, broker_url = stack.enter_context(own_broker(broker_name, services_folder, stack))
        running = stack.enter_context(start_stack(services_folder, database_url, broker_url))
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

"""The Python clients reconnect at different times, and catch up on all that they missed."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from client.inbox import Inbox
from dev.processes import wait_for
from dev.stack import Stack
from tests.support.people import Person
from tests.support.stack import embedded_stack, token_for

CROWD = 60
WITHIN = 5.0  # seconds over which they reconnect
PATIENCE = 60.0
NEVER = 3600.0


@pytest.fixture(scope="module")
def own_stack() -> Iterator[Stack]:
    with embedded_stack() as stack:
        yield stack


class Client(Inbox):
    """Records when it asked the API for changes."""

    def __init__(self, stack: Stack, owner: str) -> None:
        self.asked: list[float] = []
        super().__init__(
            stack.api_url,
            stack.push_url,
            token_for(owner),
            sync_every_seconds=NEVER,
            reconnect_within_seconds=WITHIN,
        )

    def fetch_changes(self, since: int) -> dict[str, Any]:
        self.asked.append(time.monotonic())
        return super().fetch_changes(since)


@contextmanager
def online(clients: list[Client]) -> Iterator[None]:
    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Client.connect, clients))
        yield
    finally:
        for client in clients:
            client.disconnect()


def test_many_clients_of_a_restarted_push_server_do_not_ask_the_api_all_at_once(own_stack: Stack) -> None:
    clients = [Client(own_stack, f"one of many {number}") for number in range(CROWD)]
    with online(clients):
        own_stack["push"].kill()
        down = time.monotonic()
        own_stack["push"].start()
        wait_for(lambda: all(client.asked[-1] > down for client in clients), PATIENCE, "all of them to be back")
    moments = sorted(moment for client in clients for moment in client.asked if moment > down)
    busiest = max(sum(begin <= moment < begin + 1 for moment in moments) for begin in moments)
    assert busiest <= CROWD / 2
    assert len(moments) <= 2 * CROWD


def test_a_client_whose_sync_failed_on_its_return_tries_again_soon(own_stack: Stack) -> None:
    alice, bob = Person("alice", own_stack), Client(own_stack, "bob")
    with online([bob]):
        own_stack["push"].kill()
        alice.message("bob", "while bob was away")
        Person("bob", own_stack).expect_stored(1)
        own_stack["api"].kill()
        own_stack["push"].start()
        before = len(bob.asked)
        wait_for(lambda: len(bob.asked) > before, PATIENCE, "bob to ask an API that is away")
        own_stack["api"].start()
        wait_for(lambda: bob.version == 1, PATIENCE, "bob to catch up")

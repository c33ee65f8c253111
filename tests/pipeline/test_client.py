"""The Python client stays online and right through what happens to sockets, tokens and servers."""

from collections.abc import Callable, Iterator

import pytest

from client.inbox import Inbox
from dev.processes import wait_for
from dev.stack import Stack
from tests.support.people import TIMEOUT, Person
from tests.support.stack import embedded_stack, token_for

TOKEN_SECONDS = 5


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with embedded_stack() as running:
        yield running


@pytest.fixture
def inbox(stack: Stack) -> Iterator[Callable[..., Inbox]]:
    made: list[Inbox] = []

    def make(token: str | Callable[[], str], sync_every_seconds: float) -> Inbox:
        made.append(Inbox(stack.api_url, stack.push_url, token, sync_every_seconds=sync_every_seconds))
        made[-1].connect()
        return made[-1]

    yield make
    for one in made:
        one.disconnect()


def test_it_renews_its_token_and_stays_online_beyond_the_end_of_the_first(
    stack: Stack, inbox: Callable[..., Inbox]
) -> None:
    asked: list[str] = []

    def token() -> str:
        asked.append(token_for("renewing", ttl_seconds=TOKEN_SECONDS))
        return asked[-1]

    online = inbox(token, sync_every_seconds=86_400)
    wait_for(lambda: len(asked) >= 5, 4 * TOKEN_SECONDS, "some renewals")
    Person("alice", stack).message("renewing", "still there?")
    wait_for(lambda: online.version == 1, TIMEOUT, "the message")


def test_it_goes_on_asking_after_a_failed_sync(stack: Stack, inbox: Callable[..., Inbox]) -> None:
    online = inbox(token_for("patient"), sync_every_seconds=0.1)
    stack["push"].stop()
    stack["api"].stop()
    stack["api"].start()
    Person("alice", stack).message("patient", "by REST alone")
    wait_for(lambda: online.version == 1, TIMEOUT, "the message, without a push server")
    stack["push"].start()

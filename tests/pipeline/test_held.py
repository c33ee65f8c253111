"""An inbox that somebody holds for long keeps waiting who is to come into it, and nobody else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from dev.processes import wait_for
from dev.stack import Stack
from tests.support.people import Person

MakePerson = Callable[..., Person]

BOTH = 60  # messages for who is held, and as many for others
OTHERS_WITHIN = 6.0  # seconds, on a busy machine; each message for who is held would cost half a second of them
BACK_WITHIN = 30.0  # seconds after it is let go: the relay has looked, and the machine may be busy


@contextmanager
def held(stack: Stack, *names: str) -> Iterator[None]:
    with psycopg.connect(stack.environ["DATABASE_URL"]) as holder:
        holder.execute("SELECT 1 FROM inboxes WHERE recipient_id = ANY(%s) FOR UPDATE", [list(names)])
        yield


def latest(stack: Stack, producer: str) -> float:
    """The seconds after which the last of this producer's notifications was delivered, of those that are."""
    seconds = "SELECT extract(epoch FROM max(delivered_at - created_at)) FROM notifications WHERE producer_id = %s"
    with psycopg.connect(stack.environ["DATABASE_URL"]) as connection:
        return float(connection.execute(seconds, [producer]).fetchall()[0][0])


@pytest.mark.parametrize("stack", ["postgresql+rabbitmq"], indirect=True)
def test_who_shares_tasks_with_somebody_whose_inbox_is_held_does_not_wait(stack: Stack, person: MakePerson) -> None:
    alice, bob = person("alice"), person("bob")
    others = [person("carol") for _ in range(BOTH)]
    bob.summary()
    with held(stack, bob.name):
        for other in others:
            alice.message(bob.name, "waits")
            alice.message(other.name, "does not")
        for other in others:
            other.expect_stored(1)
        assert latest(stack, alice.name) < OTHERS_WITHIN
        assert bob.items() == []
    wait_for(lambda: len(bob.items()) == BOTH, BACK_WITHIN, "what waited for bob's inbox")

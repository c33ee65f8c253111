"""What waits for one client is bounded, in number and in bytes."""

import socket
from collections.abc import Iterator

import pytest

from push.outgoing import MAX_BYTES, MAX_PIECES, Outgoing, TooMuchWaits, Turn
from push.timers import Timers


@pytest.fixture
def outgoing() -> Iterator[Outgoing]:
    """To a client that has no time to read yet: the loop's turn, in which all waits, does not end before the test."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield Outgoing(ours, Timers(), Turn(), over=lambda: None)


def test_so_many_pieces_may_wait_and_one_more_is_too_much(outgoing: Outgoing) -> None:
    for _ in range(MAX_PIECES):
        outgoing.add(b"x")
    with pytest.raises(TooMuchWaits):
        outgoing.add(b"x")


def test_so_many_bytes_may_wait_and_one_more_is_too_much(outgoing: Outgoing) -> None:
    for _ in range(4):
        outgoing.add(bytes(MAX_BYTES // 4))
    with pytest.raises(TooMuchWaits):
        outgoing.add(b"x")


def test_what_is_larger_than_the_bound_may_wait_alone(outgoing: Outgoing) -> None:
    outgoing.add(bytes(MAX_BYTES + 1))
    with pytest.raises(TooMuchWaits):
        outgoing.add(b"x")

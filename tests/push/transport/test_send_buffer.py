"""What is unsent to one client is bounded, in number and in bytes."""

import socket
from collections.abc import Iterator

import pytest

from push.transport.limits import BUFFER_MAX_BYTES, BUFFER_MAX_PACKETS
from push.transport.send_buffer import BufferFull, FlushQueue, SendBuffer
from push.transport.timers import Timers


@pytest.fixture
def buffer() -> Iterator[SendBuffer]:
    """The buffer of a client that has read nothing yet: the event loop's tick does not end before the test does."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield SendBuffer(ours, Timers(), FlushQueue(), on_end=lambda: None)


def test_so_many_frames_may_wait_and_one_more_is_too_much(buffer: SendBuffer) -> None:
    for _ in range(BUFFER_MAX_PACKETS):
        buffer.add(b"x")
    with pytest.raises(BufferFull):
        buffer.add(b"x")


def test_so_many_bytes_may_wait_and_one_more_is_too_much(buffer: SendBuffer) -> None:
    for _ in range(4):
        buffer.add(bytes(BUFFER_MAX_BYTES // 4))
    with pytest.raises(BufferFull):
        buffer.add(b"x")


def test_a_frame_larger_than_the_bound_may_wait_alone(buffer: SendBuffer) -> None:
    buffer.add(bytes(BUFFER_MAX_BYTES + 1))
    with pytest.raises(BufferFull):
        buffer.add(b"x")

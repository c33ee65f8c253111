"""What waits for a client that polls is bounded, comes in responses of a bounded size, and ends."""

import pytest
from engineio.packet import MESSAGE, Packet

from push.transport.limits import BUFFER_MAX_BYTES, BUFFER_MAX_PACKETS, POLL_MAX_PACKETS
from push.transport.poll_queue import PollQueue
from push.transport.send_buffer import BufferFull


def message(text: str = "x") -> Packet:
    return Packet(MESSAGE, text)


def test_so_many_packets_may_wait_and_one_more_is_too_much() -> None:
    waiting = PollQueue()
    for _ in range(BUFFER_MAX_PACKETS):
        waiting.put(message())
    with pytest.raises(BufferFull):
        waiting.put(message())


def test_so_many_bytes_may_wait_and_what_was_taken_makes_room() -> None:
    waiting = PollQueue()
    for _ in range(4):
        waiting.put(message("x" * (BUFFER_MAX_BYTES // 4)))
    with pytest.raises(BufferFull):
        waiting.put(message())
    assert len(waiting.poll(timeout=0)) == 4
    waiting.put(message("x" * (BUFFER_MAX_BYTES - 1)))
    waiting.put(message())


def test_a_response_holds_so_many_packets_in_order_and_the_next_one_the_others() -> None:
    waiting = PollQueue()
    for number in range(POLL_MAX_PACKETS + 3):
        waiting.put(message(str(number)))
    first, second = waiting.poll(timeout=0), waiting.poll(timeout=0)
    assert len(first) == POLL_MAX_PACKETS
    assert [packet.data for packet in first + second] == [str(number) for number in range(POLL_MAX_PACKETS + 3)]


def test_a_closed_queue_gives_what_is_left_and_then_nothing() -> None:
    waiting = PollQueue()
    waiting.put(message())
    waiting.close()
    assert len(waiting.poll(timeout=0)) == 1
    assert waiting.poll(timeout=0) == []


def test_a_poll_for_which_nothing_comes_ends_with_a_timeout() -> None:
    with pytest.raises(TimeoutError):
        PollQueue().poll(timeout=0)

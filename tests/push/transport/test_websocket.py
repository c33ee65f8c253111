"""The WebSocket by RFC 6455: handshake, fragments, control frames, close codes, sizes, and frames sent whole."""

import json
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wsproto.events import CloseConnection, Ping, Pong
from wsproto.frame_protocol import CloseReason

from dev.processes import wait_for
from push.broker.wire import Announcement
from tests.push.clients import RawSocket
from tests.push.support import PushProcess, added, memory_of

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """A client's frame, encoded here so that it may violate the protocol."""
    first = (0x80 if final else 0) | reserved | opcode
    length = len(payload)
    if length < 126:
        size, extra = length, b""
    elif length < 65536:
        size, extra = 126, struct.pack("!H", length)
    else:
        size, extra = 127, struct.pack("!Q", length)
    if not masked:
        return bytes([first, size]) + extra + payload
    mask = os.urandom(4)
    return bytes([first, size | 0x80]) + extra + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


@pytest.fixture
def bob(push: PushProcess) -> Iterator[RawSocket]:
    """Bob's connected socket."""
    raw = RawSocket(push.port)
    assert raw.open(push.token("bob"))["packet"] == "40"
    yield raw
    raw.close()


def assert_alive(raw: RawSocket) -> None:
    raw.send('425["no_such_event"]')
    assert (raw.read_text() or "").startswith('42["error"')
    assert (raw.read_text() or "").startswith("435[")


def assert_closed_with(raw: RawSocket, *codes: int) -> None:
    event = raw.read()
    assert isinstance(event, CloseConnection), event
    assert event.code in codes
    assert raw.closes_within(3) < 3


def test_a_message_in_fragments_is_one_message_with_control_frames_between(bob: RawSocket) -> None:
    text = '425["no_such_event","☂"]'.encode()
    parts = [text[at : at + 1] for at in range(len(text))]  # characters are cut in the middle, too
    for number, part in enumerate(parts):
        opcode = TEXT if number == 0 else CONTINUATION
        bob.send_bytes(frame(opcode, part, final=number == len(parts) - 1))
        if number == 3:
            bob.send_bytes(frame(PING, b"between"))
    pong = bob.read()
    assert isinstance(pong, Pong)
    assert pong.payload == b"between"
    assert (bob.read_text() or "").startswith('42["error"')
    assert (bob.read_text() or "").startswith("435[")


def test_a_message_that_arrives_byte_by_byte_and_many_in_one_piece_are_understood(bob: RawSocket) -> None:
    event = frame(TEXT, b'425["no_such_event"]')
    for at in range(len(event)):
        bob.send_bytes(event[at : at + 1])
    bob.send_bytes(event * 50)
    answers = [bob.read_text() or "" for _ in range(2 * 51)]
    assert [answer[:3] for answer in answers] == ["42[", "435"] * 51


def test_pings_are_answered_and_pongs_ignored(bob: RawSocket) -> None:
    bob.send_bytes(frame(PONG, b"unasked"))
    for payload in (b"", b"x" * 125):
        bob.send_event(Ping(payload))
        pong = bob.read()
        assert isinstance(pong, Pong)
        assert bytes(pong.payload) == payload
    assert_alive(bob)


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_is_answered_with_its_code(bob: RawSocket, code: int) -> None:
    bob.send_bytes(frame(CLOSE, struct.pack("!H", code) + b"bye"))
    assert_closed_with(bob, code)


def test_a_close_without_a_code_is_answered(bob: RawSocket) -> None:
    bob.send_bytes(frame(CLOSE, b""))
    assert_closed_with(bob, CloseReason.NO_STATUS_RCVD)


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"42[]", masked=False),
        frame(TEXT, b"42[]", reserved=0x40),
        frame(0x3, b"reserved opcode"),
        frame(0xB, b"reserved control opcode"),
        frame(PING, b"x" * 126),
        frame(PING, b"in parts", final=False),
        frame(CONTINUATION, b"of nothing"),
        frame(TEXT, b"first", final=False) + frame(TEXT, b"second"),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, struct.pack("!H", 999)),
        frame(CLOSE, struct.pack("!H", 1005)),
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
    ],
    ids=[
        "unmasked",
        "a-reserved-bit",
        "a-reserved-opcode",
        "a-reserved-control-opcode",
        "a-long-ping",
        "a-ping-in-parts",
        "a-continuation-of-nothing",
        "a-text-in-a-text",
        "a-close-of-one-byte",
        "a-close-with-999",
        "a-close-with-1005",
        "a-close-with-no-utf8",
    ],
)
def test_a_frame_that_breaks_the_rules_ends_the_connection_as_a_protocol_error(bob: RawSocket, bad: bytes) -> None:
    bob.send_bytes(bad)
    assert_closed_with(bob, CloseReason.PROTOCOL_ERROR, CloseReason.INVALID_FRAME_PAYLOAD_DATA)


def test_text_that_is_no_utf8_ends_the_connection(bob: RawSocket) -> None:
    bob.send_bytes(frame(TEXT, b"42\xff\xfe"))
    assert_closed_with(bob, CloseReason.INVALID_FRAME_PAYLOAD_DATA)


def test_a_message_up_to_the_limit_is_read(bob: RawSocket) -> None:
    filler = "x" * 65_000
    bob.send(f'425["no_such_event","{filler}"]')
    assert (bob.read_text() or "").startswith('42["error"')


def test_a_message_above_the_limit_ends_the_connection_before_it_is_all_read(push: PushProcess, bob: RawSocket) -> None:
    before = memory_of(push)
    bob.send_bytes(frame(TEXT, b"4" * 70_000, final=False))
    assert_closed_with(bob, CloseReason.MESSAGE_TOO_BIG)
    giant = RawSocket(push.port)
    giant.read_text()
    header = bytes([0x80 | BINARY, 0x80 | 127]) + struct.pack("!Q", 60_000_000) + b"mask"
    with pytest.raises(OSError):  # noqa: PT011  (the error depends on when the connection is reset)
        giant.send_bytes(header + b"\0" * 60_000_000)
    assert memory_of(push) - before < 3_000_000


def test_endless_empty_fragments_end_the_connection(push: PushProcess, bob: RawSocket) -> None:
    bob.send_bytes(frame(TEXT, b"", final=False) + frame(CONTINUATION, b"", final=False) * 1100)
    assert_closed_with(bob, CloseReason.MESSAGE_TOO_BIG)


def test_binary_messages_are_taken_for_what_they_are(bob: RawSocket) -> None:
    bob.send(b"not an attachment of anything")
    bob.closes_within(3)


def test_a_client_that_pauses_gets_every_frame_whole_and_in_order(push: PushProcess) -> None:
    """A `send` that writes part of a frame once the kernel's buffers are full corrupts the frames that follow."""
    slow = RawSocket(push.port, receive_buffer=4096)
    slow.open(push.token("bob"))
    body = "☂" * 20_000  # 120 kB as JSON
    version = 1
    while goes_out(push, added("bob", version, body)):
        version += 1
    push.announce(added("bob", version + 1, body), added("bob", version + 2, body))
    seen: list[int] = []
    while len(seen) < version + 2:
        text = slow.read_text()
        assert text is not None, f"the connection ended after {seen}"
        if text.startswith("42"):
            payload = json.loads(text[2:])[1]
            assert payload["item"]["body"] == body
            seen.append(payload["version"])
    assert seen == list(range(1, version + 3))
    slow.close()


def goes_out(push: PushProcess, announcement: Announcement) -> bool:
    """Announce; whether the kernel's buffers, and not the server's, hold it for the one slow client."""
    before = unread(push)
    push.announce(announcement)
    try:
        wait_for(lambda: unread(push) > before, 0.5)
    except TimeoutError:
        return False
    return True


def unread(push: PushProcess) -> int:
    """Bytes in the send queues of the server's sockets."""
    connections = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    own = f":{push.port:04X}"
    return sum(int(fields[4].partition(":")[0], 16) for fields in connections if fields[1].endswith(own))


def test_tcp_does_not_hold_small_packets_back(push: PushProcess, bob: RawSocket) -> None:
    """Without TCP_NODELAY a second packet waits up to 40 ms for the acknowledgement of the first."""
    took = []
    for version in range(20):
        started = time.monotonic()
        bob.send(f'42{version}["no_such_event"]')
        bob.read_text()
        bob.read_text()
        took.append(time.monotonic() - started)
    assert sorted(took)[10] < 0.03

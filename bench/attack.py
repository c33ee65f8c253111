"""Hostile packets for a push server, determined by a seed, and a client that sends them."""

import contextlib
import json
import os
import random
import select
import socket
import struct
from collections.abc import Iterator

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TEXT, BINARY, PING = 0x1, 0x2, 0x9
PACKETS = [
    "3", "2", "2probe", "5", "6", "1", "0{}", "40", "40{}", '40{"token":1}', "40/other,", "41", "41/other,", "44{}",
    '42["authenticate",{"token":"x"}]', '420["authenticate"]', '42["no_such_event",1]', '42["connect",{},{}]',
    '42["",{}]', '42["disconnect"]', "42[]", "42{}", '431["seen"]', "430[]", '451-["x",{"_placeholder":true,"num":0}]',
    '459-["x"]', '461-1[{"_placeholder":true,"num":9}]', "bAAAA", "4", "", "9", "\x1e", "4\x1e4",
]  # fmt: skip
NESTED = ["42" + "[" * 5_000, '42["x",' + '{"a":' * 3_000, "4" + "9" * 4_000, "42" + "9" * 4_000 + "[]"]
SPLINTERS = [b"[", b"{", b'"', b"-1", b"\xff", b"\x00", b"9" * 30, b",/"]
TIMEOUT = 10  # seconds for an answer of a server that works
PATIENCE = 0.02


def frame(opcode: int, payload: bytes, *, first: int = 0x80, masked: bool = True) -> bytes:
    """A client's WebSocket frame; `first` holds its flags and opcode."""
    length = len(payload)
    if length < 126:
        size, extra = length, b""
    elif length < 65_536:
        size, extra = 126, struct.pack("!H", length)
    else:
        size, extra = 127, struct.pack("!Q", length)
    if not masked:
        return bytes([first | opcode, size]) + extra + payload
    return bytes([first | opcode, size | 0x80]) + extra + b"\0\0\0\0" + payload  # a mask of zeros is valid


def packets(seed: int) -> Iterator[bytes]:
    """An endless series of packets."""
    chance = random.Random(seed)
    kinds = (_packet, _packet, _mutated, _mutated, _binary, _noise, _broken_frame, _fragments, _control, _nested)
    while True:
        yield chance.choice(kinds)(chance)


def _packet(chance: random.Random) -> bytes:
    return frame(TEXT, chance.choice(PACKETS).encode())


def _mutated(chance: random.Random) -> bytes:
    text = bytearray(chance.choice(PACKETS).encode() or b"4")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text))
        text[at : at + chance.randint(0, 2)] = chance.choice(
            [b"[", b"{", b'"', b"-1", b"\xff", b"\x00", b"9" * 30, b",/"]
        )
        text = text or bytearray(b"4")
    return frame(TEXT, bytes(text))


def _binary(chance: random.Random) -> bytes:
    return frame(BINARY, chance.randbytes(chance.choice([0, 1, 7, 200, 5_000])))


def _noise(chance: random.Random) -> bytes:
    return frame(TEXT, chance.choice("4b02356").encode() + chance.randbytes(chance.randint(0, 60)))


def _broken_frame(chance: random.Random) -> bytes:
    return chance.choice(
        [
            chance.randbytes(chance.randint(1, 40)),
            frame(chance.randrange(16), b"x", first=chance.choice([0x00, 0x40, 0x70, 0x80, 0xF0])),
            frame(TEXT, b"42[]", masked=False),
            frame(BINARY, b"x" * 70_000),
            bytes([0x82, 0xFF]) + struct.pack("!Q", 1 << chance.choice([20, 40, 62])) + b"\0\0\0\0",
        ]
    )


def _fragments(chance: random.Random) -> bytes:
    parts = frame(0, b"", first=0) * chance.choice([1, 10, 1_500]) + frame(0, b"[]")
    return frame(TEXT, b"42", first=0) + parts


def _control(chance: random.Random) -> bytes:
    return frame(chance.choice([0x8, 0x9, 0x9, 0xA, 0xA]), chance.randbytes(chance.choice([0, 1, 2, 60, 126])))


def _nested(chance: random.Random) -> bytes:
    return frame(TEXT, chance.choice(NESTED).encode())


def attack(port: int, seed: int, count: int, tokens: Iterator[str]) -> int:
    """Send this many packets, a few over each connection. Returns the number of connections.

    The server must accept every new connection."""
    chance, source = random.Random(seed), packets(seed)
    connections = 0
    while count > 0:
        few = min(count, chance.randint(1, 10))
        count -= few
        connections += 1
        with connect(port, next(tokens) if connections % 2 else None) as connection, contextlib.suppress(OSError):
            for _ in range(few):
                connection.sendall(next(source))
            connection.sendall(frame(PING, b"done?"))
            _wait_until_taken(connection)
    return connections


def connect(port: int, token: str | None) -> socket.socket:
    """Open a WebSocket; with a token, also connect to the namespace."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    connection.sendall(HANDSHAKE.format(port=port).encode())
    answer = connection.recv(4096)
    if b" 101 " not in answer:
        raise ConnectionError(f"not taken: {answer!r}")
    if token is not None:
        connection.sendall(frame(TEXT, f"40{json.dumps({'token': token})}".encode()))
    return connection


def _wait_until_taken(connection: socket.socket) -> None:
    """Return when the server closes, answers, or is silent for a moment because it waits for the rest of a frame."""
    answer = b""
    while b"done?" not in answer and select.select([connection], [], [], PATIENCE)[0]:
        data = connection.recv(65_536)
        if not data:
            return
        answer = answer[-10:] + data


def seed_from_environment() -> int:
    return int(os.environ.get("SEED") or random.randrange(1 << 32))

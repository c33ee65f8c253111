"""A small Socket.IO client over a raw WebSocket: only what the socket contract needs.

It shares no code with the product. Protocols: RFC 6455, Engine.IO 4, Socket.IO 5 (text alone).
"""

import asyncio
import base64
import json
import os
from collections.abc import Callable
from typing import Self, cast

PATH = "/socket.io/?EIO=4&transport=websocket"
PATIENCE = 30.0  # seconds until a server that does not answer counts as down
FINAL, TEXT, CLOSE, PING, PONG = 0x80, 0x1, 0x8, 0x9, 0xA
MASKED = 0x80
NO_MASK = bytes(4)  # a mask of zeros is valid, and costs nothing


class Refused(ConnectionError):
    """The server refused the client; the message is its answer."""


class Client(asyncio.BufferedProtocol):
    """One client. `on_event` gets each event as the JSON text of `[name, payload]`; `on_loss` gets no argument."""

    _buffer = memoryview(bytearray(1 << 18))  # shared by all clients: it is emptied right after each read

    def __init__(self, token: str, on_event: Callable[[bytes], None], on_loss: Callable[[], None]) -> None:
        self._token = token
        self._on_event = on_event
        self._on_loss = on_loss
        self._rest = b""  # of an incomplete frame
        self._parts: list[bytes] = []  # of a message in several frames
        self._upgraded = False
        self._admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def connect(
        cls, port: int, token: str, on_event: Callable[[bytes], None], on_loss: Callable[[], None] = lambda: None
    ) -> Self:
        """Connect. Raises `OSError`: `Refused`, or the server does not listen."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(lambda: cls(token, on_event, on_loss), "127.0.0.1", port)
        try:
            async with asyncio.timeout(PATIENCE):
                await client._admitted
        except BaseException:
            client.close()
            raise
        return client

    def close(self) -> None:
        """Close. No callback is called from then on, `on_loss` neither."""
        self._on_event, self._on_loss = lambda _: None, lambda: None
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())

    def connection_lost(self, _: Exception | None) -> None:
        if self._admitted.done():
            self._on_loss()
        else:
            self._admitted.set_exception(Refused("the server hung up"))

    def get_buffer(self, _: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, size: int) -> None:
        data = self._rest + self._buffer[:size]
        if not self._upgraded:
            head, found, data = data.partition(b"\r\n\r\n")
            self._upgraded = bool(found) and head.startswith(b"HTTP/1.1 101 ")
            if not self._upgraded:
                return self._wait_or_give_up(head, bool(found))
        self._rest = data[self._take_frames(data) :]
        return None

    def _wait_or_give_up(self, head: bytes, whole: bool) -> None:
        self._rest = head
        if whole and not self._admitted.done():
            self._admitted.set_exception(Refused(head.partition(b"\r\n")[0].decode(errors="replace")))

    def _take_frames(self, data: bytes) -> int:
        """Handle all complete frames. Returns where they end."""
        start, size = 0, len(data)
        while size - start >= 2:
            length, body = data[start + 1], start + 2  # a server does not mask
            if length > 125:
                body += 2 if length == 126 else 8
                length = int.from_bytes(data[start + 2 : body])
            if size < body + length:
                break
            self._handle(data[start], data[body : body + length])
            start = body + length
        return start

    def _handle(self, first: int, body: bytes) -> None:
        opcode = first & 0xF
        if opcode == PING:
            self._send(PONG, body)
        elif opcode == CLOSE:
            self._transport.close()
        elif opcode <= TEXT:
            if first & FINAL and not self._parts:
                self._hear(body)
            else:
                self._parts.append(body)
                if first & FINAL:
                    body, self._parts = b"".join(self._parts), []
                    self._hear(body)

    def _hear(self, packet: bytes) -> None:
        if packet.startswith(b"42"):
            self._on_event(packet[2:])
        elif packet.startswith(b"2"):
            self._send(TEXT, b"3")
        elif packet.startswith(b"0"):
            self._send(TEXT, b"40" + json.dumps({"token": self._token}).encode())
        elif packet.startswith(b"40") and not self._admitted.done():
            self._admitted.set_result(None)
        elif packet.startswith(b"44") and not self._admitted.done():
            self._admitted.set_exception(Refused(packet[2:].decode()))

    def _send(self, opcode: int, body: bytes) -> None:
        length = bytes([MASKED | len(body)]) if len(body) < 126 else bytes([MASKED | 126]) + len(body).to_bytes(2)
        self._transport.write(bytes([FINAL | opcode]) + length + NO_MASK + body)

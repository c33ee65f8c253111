"""A minimal Socket.IO client over one raw socket. It shares no code with the product."""

import json
import os
import socket

HANDSHAKE = (
    "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)
TIMEOUT = 30


class Client:
    """One WebSocket connection."""

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.socket.sendall(HANDSHAKE.format(port=port).encode())
        while b"\r\n\r\n" not in self.buffer:
            self._receive()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(f"refused: {head[:300]!r}")
        self._next_text()
        self.send(f"40{json.dumps({'token': token})}")
        answer = self._next_text()
        if not answer.startswith("40"):
            raise ConnectionError(f"refused: {answer}")

    def send(self, text: str) -> None:
        data = text.encode()
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        mask = os.urandom(4)
        self.socket.sendall(b"\x81" + size + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    def texts(self) -> list[str]:
        """The complete messages after one read."""
        self._receive()
        found = []
        while (text := self._take()) is not None:
            found.append(text)
        return found

    def _next_text(self) -> str:
        while (text := self._take()) is None:
            self._receive()
        return text

    def _receive(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server hung up")
        self.buffer += data

    def _take(self) -> str | None:
        if len(self.buffer) < 2:
            return None
        length, at = self.buffer[1], 2
        if length == 126:
            length, at = int.from_bytes(self.buffer[2:4], "big"), 4
        elif length == 127:
            length, at = int.from_bytes(self.buffer[2:10], "big"), 10
        if len(self.buffer) < at + length:
            return None
        opcode, payload = self.buffer[0], self.buffer[at : at + length]
        self.buffer = self.buffer[at + length :]
        if opcode != 0x81:
            raise ConnectionError(f"not a whole text frame: {opcode:#x}")
        return payload.decode()

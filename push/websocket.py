"""The WebSocket under Engine.IO: RFC 6455 on a gevent socket, with bounds on what it holds and on how long it waits.

It stands in for simple-websocket, whose `send` writes part of a frame when the client reads slowly and then goes on
with the next one, which reads whole messages before it measures them, and which always agrees to compress.
Frames are wsproto's; here are the handshake, the socket, and the bounds.
"""

import base64
import binascii
import contextlib
import hashlib
import logging
import socket
from collections import deque
from collections.abc import Mapping

import gevent
from gevent.lock import BoundedSemaphore
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

log = logging.getLogger(__name__)

RECEIVE_BYTES = 4096
FRAGMENT_COST = 64  # bytes that even an empty fragment takes until its message is complete
WRITE_TIMEOUT = 20  # seconds in which a client must make room for one frame: as long as it may take to answer a ping
FAREWELL_TIMEOUT = 1  # seconds for the last frame; nobody waits for the client's own farewell
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


class BadHandshake(Exception):
    """The request does not ask for a WebSocket in the way of RFC 6455."""


class Closed(OSError):
    """The connection is closed; nothing can be sent any more."""


class WebSocket:
    """A server's end of one connection. One greenlet receives; any may send."""

    def __init__(self, sock: socket.socket, max_message_bytes: int) -> None:
        self._socket = sock
        self._max_message_bytes = max_message_bytes
        self._protocol = Connection(ConnectionType.SERVER)
        self._writing = BoundedSemaphore()
        self._messages: deque[str | bytes] = deque()
        self._parts: list[str | bytes] = []
        self._parts_size = 0
        self._open = True
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def accept(self, environ: Mapping[str, str]) -> None:
        """Answer the handshake. Extensions are declined: compression costs 90 KiB a connection. May raise `Closed`."""
        answer = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
        self._write("\r\n".join((*answer, f"Sec-WebSocket-Accept: {answer_to(environ)}", "", "")).encode())

    def send(self, message: str | bytes) -> None:
        """Send one message. Raises `Closed` when the client is gone, or did not read for too long."""
        try:
            self._write(
                self._protocol.send(BytesMessage(message) if isinstance(message, bytes) else TextMessage(message))
            )
        except LocalProtocolError:
            raise Closed from None

    def wait(self) -> str | bytes | None:
        """The next message, or None when the connection is over."""
        while not self._messages:
            if not self._receive():
                self.abort()
                return None
        return self._messages.popleft()

    def close(self) -> None:
        """Say goodbye if that is possible at once, and close."""
        self._say_goodbye(CloseConnection(CloseReason.NORMAL_CLOSURE))
        self.abort()

    def abort(self) -> None:
        """Close for good, whatever is still on its way; who waits in `send` or `wait` returns."""
        self._open = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _receive(self) -> bool:
        try:
            data = self._socket.recv(RECEIVE_BYTES) if self._open else b""
            if not data:
                return False
            self._protocol.receive_data(data)
            return all(self._handle(event) for event in self._protocol.events())
        except (OSError, LocalProtocolError, UnicodeDecodeError):
            return False

    def _handle(self, event: Event) -> bool:
        """Act on one event; False when it is the last."""
        if isinstance(event, TextMessage | BytesMessage):
            return self._collect(event)
        if isinstance(event, Ping):
            self._write(self._protocol.send(event.response()))
        if isinstance(event, CloseConnection):
            self._say_goodbye(event.response())
            return False
        return True

    def _collect(self, event: TextMessage | BytesMessage) -> bool:
        self._parts_size += max(len(event.data), FRAGMENT_COST)
        if self._parts_size > self._max_message_bytes:
            self._say_goodbye(CloseConnection(CloseReason.MESSAGE_TOO_BIG))
            return False
        self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if event.message_finished:
            empty: str | bytes = "" if isinstance(event, TextMessage) else b""
            self._messages.append(empty.join(self._parts))  # type: ignore[arg-type]  # all parts are of one kind
            self._parts, self._parts_size = [], 0
        return True

    def _say_goodbye(self, farewell: CloseConnection) -> None:
        with contextlib.suppress(OSError, LocalProtocolError):
            self._write(self._protocol.send(farewell), FAREWELL_TIMEOUT)

    def _write(self, frame: bytes, timeout: float = WRITE_TIMEOUT) -> None:
        """Write a frame whole, or close the connection: after half a frame nothing could be understood."""
        try:
            with gevent.Timeout(timeout, TimeoutError), self._writing:
                if not self._open:
                    raise Closed
                self._socket.sendall(frame)
        except OSError as error:  # a TimeoutError is one
            self.abort()
            raise Closed from error


def answer_to(environ: Mapping[str, str]) -> str:
    """The `Sec-WebSocket-Accept` for this request. Raises `BadHandshake`."""
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise BadHandshake("the key is not base64") from None
    if len(nonce) != 16 or environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":  # noqa: PLR2004  (RFC 6455 §4.1)
        raise BadHandshake("the key or the version is not RFC 6455's")
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()  # noqa: S324  (so says RFC 6455)

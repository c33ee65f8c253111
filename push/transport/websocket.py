"""The WebSocket under Engine.IO: RFC 6455 on the event loop itself, with bounds on what it holds and how long it waits.

It stands in for simple-websocket, whose `send` writes part of a frame when the client reads slowly and then goes on
with the next one, which reads whole messages before it measures them, and which always agrees to compress. No
greenlet waits for a connection, so that an idle one is a few small objects. What clients send is parsed by wsproto;
here are the handshake, the socket, and the bounds.
"""

import base64
import binascii
import contextlib
import hashlib
import socket
from collections.abc import Callable, Mapping

import gevent
from gevent import monkey
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError

from push.outgoing import Outgoing, TooMuchWaits, Turn
from push.timers import Timers

RECEIVE_BYTES = 4096
UNREAD_BYTES = 262_144  # that are thrown away at the end: closing over unread bytes would take back the farewell
FRAGMENT_COST = 64  # bytes that even an empty fragment takes until its message is complete
READABLE = 1  # libev's EV_READ
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3
TEXT, BINARY = 0x81, 0x82  # first byte of a frame that is a whole message

_Socket: type[socket.socket] = monkey.get_original("socket", "socket")  # gevent's own would wait


class BadHandshake(Exception):
    """The request does not ask for a WebSocket in the way of RFC 6455."""


class WebSocket:
    """A server's end of one connection. Nothing here waits.

    `receive` is called in a greenlet with each message, one after the other: while it runs, nothing more is read.
    `ended` is called in a greenlet, once, after the last `receive`.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        max_message_bytes: int,
        timers: Timers,
        turn: Turn,
        receive: Callable[[str | bytes], object],
        ended: Callable[[], object],
    ) -> None:
        """Takes the connection away from `sock`, which its owner may close as usual."""
        self._socket = _Socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._max_message_bytes = max_message_bytes
        self._receive, self._ended = receive, ended
        self._protocol = Connection(ConnectionType.SERVER)
        self._outgoing = Outgoing(self._socket, timers, turn, self.abort)
        self._messages: list[str | bytes] = []
        self._parts: list[str | bytes] = []
        self._parts_size = 0
        self._open = self._reads = True
        self._busy = False
        self._readable = gevent.get_hub().loop.io(self._socket.fileno(), READABLE)
        self._readable.start(self._read)

    def accept(self, environ: Mapping[str, str]) -> None:
        """Answer the handshake. Extensions are declined: compression costs 90 KiB a connection."""
        answer = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
        self.send("\r\n".join((*answer, f"Sec-WebSocket-Accept: {answer_to(environ)}", "", "")).encode())

    def send(self, frame: bytes) -> None:
        """Queue what `frame_of` made. Raises `TooMuchWaits` when the client does not read."""
        self._outgoing.add(frame)

    def close(self) -> None:
        """Send what waits, say goodbye, and close: at once if the client reads, else after a moment."""
        self._say_goodbye(CloseConnection(CloseReason.NORMAL_CLOSURE))

    def abort(self) -> None:
        """Close for good, whatever is still on its way."""
        if not self._open:
            return
        self._open = self._reads = False
        self._readable.stop()
        self._readable.close()
        self._outgoing.stop()
        self._hang_up()
        if not self._busy:
            gevent.spawn(self._ended)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
            for _ in range(UNREAD_BYTES // 65_536):
                if not self._socket.recv(65_536):
                    break
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError
            self._protocol.receive_data(data)
            for event in self._protocol.events():
                self._handle(event)
        except BlockingIOError:
            return
        except (OSError, LocalProtocolError, UnicodeDecodeError, TooMuchWaits):
            self.abort()
        if self._messages and self._reads:
            self._readable.stop()
            self._busy = True
            gevent.spawn(self._hand_over)

    def _hand_over(self) -> None:
        try:
            while self._messages and self._reads:
                self._receive(self._messages.pop(0))
        finally:
            self._busy = False
            if self._reads:
                self._readable.start(self._read)
            elif not self._open:
                self._ended()

    def _handle(self, event: Event) -> None:
        if not self._reads:
            return
        if isinstance(event, TextMessage | BytesMessage):
            self._collect(event)
        elif isinstance(event, Ping):
            self.send(self._protocol.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._say_goodbye(event.response())

    def _collect(self, event: TextMessage | BytesMessage) -> None:
        self._parts_size += max(len(event.data), FRAGMENT_COST)
        if self._parts_size > self._max_message_bytes:
            self._say_goodbye(CloseConnection(CloseReason.MESSAGE_TOO_BIG))
            return
        self._parts.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if event.message_finished:
            empty: str | bytes = "" if isinstance(event, TextMessage) else b""
            self._messages.append(empty.join(self._parts))  # type: ignore[arg-type]  # all parts are of one kind
            self._parts, self._parts_size = [], 0

    def _say_goodbye(self, farewell: CloseConnection) -> None:
        if not self._reads:
            return
        self._reads = False
        self._readable.stop()
        with contextlib.suppress(LocalProtocolError, TooMuchWaits):
            self.send(self._protocol.send(farewell))
        self._outgoing.finish()


def frame_of(message: str | bytes) -> bytes:
    """A server's frame with one whole message."""
    kind, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
    length = len(payload)
    if length < 126:  # noqa: PLR2004  (RFC 6455 §5.2)
        return bytes((kind, length)) + payload
    if length < 65_536:  # noqa: PLR2004
        return bytes((kind, 126)) + length.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + length.to_bytes(8, "big") + payload


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

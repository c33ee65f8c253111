"""RFC 6455 for one connection, on the event loop itself: no greenlet waits for it, so an idle one is a few objects.

simple-websocket, which engineio would use, writes part of a frame when the client reads slowly and then goes on with
the next one, measures messages only after it has read them whole, and always agrees to compress.

wsproto parses the frames. Its handshake (wsproto.handshake.H11Handshake) is not used: it accepts keys that are not 16
bytes in base64, which RFC 6455 §4.2.1 has refused, and it serialises and parses the request again, 110 µs of CPU where
`accept_token` takes 2 µs and a whole connect takes 700 µs.
"""

import base64
import binascii
import contextlib
import socket
from collections.abc import Callable, Mapping

import gevent
from gevent import monkey
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, generate_accept_token

from push.transport.send_buffer import BufferFull, FlushQueue, SendBuffer
from push.transport.timers import Timers

RECEIVE_BYTES = 4096
UNREAD_MAX_BYTES = 262_144  # read and dropped at the end: closing over unread bytes would reset what was just sent
FRAGMENT_MIN_BYTES = 64  # what an empty fragment counts for: each takes memory until its message is complete
READABLE = 1  # libev's EV_READ
TEXT, BINARY = 0x81, 0x82  # first byte of a frame that is a whole message
NONCE_BYTES = 16

_Socket: type[socket.socket] = monkey.get_original("socket", "socket")  # gevent's own waits


class BadHandshake(Exception):
    """The request is not a WebSocket handshake by RFC 6455."""


class WebSocket:
    """The server's end of one connection. No method waits.

    `on_message` is called in a greenlet with each message in turn; nothing more is read while it runs.
    `on_close` is called in a greenlet, once, after the last `on_message`.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        max_message_bytes: int,
        timers: Timers,
        flushes: FlushQueue,
        on_message: Callable[[str | bytes], object],
        on_close: Callable[[], object],
    ) -> None:
        """Detaches the connection from `sock`, which its owner may close as usual."""
        self._socket = _Socket(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._max_message_bytes = max_message_bytes
        self._on_message, self._on_close = on_message, on_close
        self._protocol = Connection(ConnectionType.SERVER)
        self._send_buffer = SendBuffer(self._socket, timers, flushes, self.abort)
        self._messages: list[str | bytes] = []
        self._fragments: list[str | bytes] = []
        self._fragments_size = 0
        self._open = self._reading = True
        self._dispatching = False
        self._readable = gevent.get_hub().loop.io(self._socket.fileno(), READABLE)
        self._readable.start(self._read)

    def accept(self, token: str) -> None:
        """Answer the handshake. Extensions are declined: compression takes 90 KiB a connection."""
        lines = ("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade")
        self.send("\r\n".join((*lines, f"Sec-WebSocket-Accept: {token}", "", "")).encode())

    def send(self, frame: bytes) -> None:
        """Queue a frame of `encode_frame`. Raises `BufferFull` when the client does not read."""
        self._send_buffer.add(frame)

    def close(self) -> None:
        """Send what is queued and a close frame, then close; a client that does not read has `DRAIN_TIMEOUT`."""
        self._start_close(CloseConnection(CloseReason.NORMAL_CLOSURE))

    def abort(self) -> None:
        """Close at once and drop what is queued."""
        if not self._open:
            return
        self._open = self._reading = False
        self._readable.stop()
        self._readable.close()
        self._send_buffer.discard()
        self._close_socket()
        if not self._dispatching:
            gevent.spawn(self._on_close)

    def _close_socket(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
            for _ in range(UNREAD_MAX_BYTES // 65_536):
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
        except (OSError, LocalProtocolError, UnicodeDecodeError, BufferFull):
            self.abort()
        if self._messages and self._reading:
            self._readable.stop()
            self._dispatching = True
            gevent.spawn(self._dispatch_messages)

    def _dispatch_messages(self) -> None:
        try:
            while self._messages and self._reading:
                self._on_message(self._messages.pop(0))
        finally:
            self._dispatching = False
            if self._reading:
                self._readable.start(self._read)
            elif not self._open:
                self._on_close()

    def _handle(self, event: Event) -> None:
        if not self._reading:
            return
        if isinstance(event, TextMessage | BytesMessage):
            self._add_fragment(event)
        elif isinstance(event, Ping):
            self.send(self._protocol.send(event.response()))
        elif isinstance(event, CloseConnection):
            self._start_close(event.response())

    def _add_fragment(self, event: TextMessage | BytesMessage) -> None:
        self._fragments_size += max(len(event.data), FRAGMENT_MIN_BYTES)
        if self._fragments_size > self._max_message_bytes:
            self._start_close(CloseConnection(CloseReason.MESSAGE_TOO_BIG))
            return
        self._fragments.append(bytes(event.data) if isinstance(event, BytesMessage) else event.data)
        if event.message_finished:
            empty: str | bytes = "" if isinstance(event, TextMessage) else b""
            self._messages.append(empty.join(self._fragments))  # type: ignore[arg-type]  # all of one kind
            self._fragments, self._fragments_size = [], 0

    def _start_close(self, close: CloseConnection) -> None:
        if not self._reading:
            return
        self._reading = False
        self._readable.stop()
        with contextlib.suppress(LocalProtocolError, BufferFull):
            self.send(self._protocol.send(close))
        self._send_buffer.drain()


def encode_frame(message: str | bytes) -> bytes:
    """A server's frame that holds one whole message."""
    kind, payload = (TEXT, message.encode()) if isinstance(message, str) else (BINARY, message)
    length = len(payload)
    if length < 126:  # noqa: PLR2004  (RFC 6455 §5.2)
        return bytes((kind, length)) + payload
    if length < 65_536:  # noqa: PLR2004
        return bytes((kind, 126)) + length.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + length.to_bytes(8, "big") + payload


def is_upgrade(environ: Mapping[str, str]) -> bool:
    """Whether a request's headers ask for a WebSocket."""
    options = {option.strip() for option in environ.get("HTTP_CONNECTION", "").lower().split(",")}
    return "upgrade" in options and environ.get("HTTP_UPGRADE", "").lower() == "websocket"


def accept_token(environ: Mapping[str, str]) -> str:
    """The `Sec-WebSocket-Accept` for a request. Raises `BadHandshake`."""
    key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
    try:
        nonce = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise BadHandshake("the key is not base64") from None
    if len(nonce) != NONCE_BYTES or environ.get("HTTP_SEC_WEBSOCKET_VERSION") != "13":
        raise BadHandshake("the key or the version is not RFC 6455's")
    return generate_accept_token(key.encode()).decode()

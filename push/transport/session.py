"""One client's Engine.IO session: it long-polls, has a WebSocket, or upgrades from the first to the second.

engineio.Server uses `connected`, `upgraded`, `closed`, `send`, `close`, `handle_get_request` and
`handle_post_request`; this class takes the place of engineio.socket.Socket, whose queue is unbounded and which spends a
greenlet on every ping.
"""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import engineio
import gevent
from engineio import packet
from engineio.exceptions import QueueEmpty, SocketIsClosedError, UnknownPacketError

from push.metrics import Counts
from push.transport.http import HANDLER
from push.transport.limits import MESSAGE_MAX_BYTES, PING_INTERVAL, PING_TIMEOUT, READ_TIMEOUT, UPGRADE_TIMEOUT
from push.transport.packets import frame_of, posted_packets
from push.transport.poll_queue import PollQueue
from push.transport.send_buffer import BufferFull, FlushQueue
from push.transport.timers import Timer, Timers
from push.transport.websocket import BadHandshake, WebSocket, accept_token, is_upgrade
from telemetry.errors import describe

log = logging.getLogger(__name__)

Reason = engineio.Server.reason
PING = packet.Packet(packet.PING)


@dataclass(frozen=True, slots=True)
class SessionContext:
    """The objects and callbacks that all sessions of a server use."""

    timers: Timers
    flushes: FlushQueue
    counts: Counts
    on_message: Callable[[str, Any], object]  # with the session's sid and the data
    on_close: Callable[[str, str], object]  # with the sid and a `Reason`; once


class Session:
    """One client. `connected`: it may send; `upgraded`: it has a WebSocket and polls no more."""

    def __init__(self, sid: str, context: SessionContext) -> None:
        self.sid = sid
        self.connected = self.upgrading = self.upgraded = self.closing = self.closed = False
        self._context = context
        self._poll_queue = PollQueue()
        self._websocket: WebSocket | None = None
        self._awaits_pong = True  # so that the first ping can be scheduled
        self._timer: Timer | None = None  # of the next ping, or of its timeout

    def send(self, pkt: packet.Packet) -> None:
        """Queue a packet. A client whose queue is full is disconnected."""
        if self.closed:
            raise SocketIsClosedError
        self._context.counts.packets_sent += 1
        try:
            if self._websocket is not None and self.upgraded:
                self._websocket.send(frame_of(pkt))
            else:
                self._poll_queue.put(pkt)
        except BufferFull:
            self.disconnect("slow")

    def close(self, *, abort: bool = False, reason: str = Reason.SERVER_DISCONNECT) -> None:
        """End the session, after a CLOSE packet unless `abort`. What is queued still goes out, for a moment."""
        if self.closing:
            return
        self.closing = True
        self._context.on_close(self.sid, reason)
        if not abort:
            self.send(packet.Packet(packet.CLOSE))
        self.closed = True
        self._poll_queue.close()
        if self._timer is not None:
            self._timer.cancel()
        if self._websocket is not None:
            self._websocket.close()

    def disconnect(self, reason: str) -> None:
        """End the session at once and drop what is queued; `reason` is one word, for the log and /metrics."""
        if self.closed:
            return
        log.info("transport_closed eio_sid=%s reason=%s", self.sid, reason)
        self._context.counts.disconnects[reason] += 1
        if self._websocket is not None:
            self._websocket.abort()
        self._poll_queue.take_all()
        self.close(abort=True, reason=Reason.TRANSPORT_ERROR)

    def handle_get_request(self, environ: dict[str, Any], _: Callable[..., Any]) -> Any:
        """Packets for a poll, or the response to a WebSocket handshake."""
        if is_upgrade(environ):
            return self.upgrade(environ)
        if self.upgrading or self.upgraded:
            return [packet.Packet(packet.NOOP)]
        return self.poll()

    def poll(self) -> list[packet.Packet]:
        """Wait for packets; [] when the session ends. A poll that outlasts a ping and its timeout ends the session."""
        try:
            return self._poll_queue.poll(PING_INTERVAL + PING_TIMEOUT)
        except TimeoutError:
            self.close(reason=Reason.TRANSPORT_ERROR)
            raise QueueEmpty from None

    def handle_post_request(self, environ: dict[str, Any]) -> None:
        """Receive posted packets. Raises `UnknownPacketError`, at which engineio ends the session and answers 400."""
        try:
            with gevent.Timeout(READ_TIMEOUT, TimeoutError):
                for pkt in posted_packets(environ):
                    self._receive(pkt)
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", self.sid, describe(error))
            raise UnknownPacketError from None

    def upgrade(self, environ: dict[str, Any]) -> Any:
        """Answer a WebSocket handshake: on the connection itself, or with a response that refuses it."""
        handler = environ[HANDLER]
        try:
            if self.upgraded or self.upgrading or handler.content_length or not is_upgrade(environ):
                raise BadHandshake("not a plain request for a WebSocket, or the session has one")
            token = accept_token(environ)
        except BadHandshake:
            if not self.connected:
                self.close(abort=True)
            return _bad_request()
        self._websocket = self._make_websocket(handler.take_socket())
        self._websocket.accept(token)
        if self.connected:
            self._start_upgrade()
        else:
            self._finish_upgrade()
        return ()  # the WebSocket has answered

    def _make_websocket(self, sock: socket.socket) -> WebSocket:
        return WebSocket(
            sock,
            max_message_bytes=MESSAGE_MAX_BYTES,
            timers=self._context.timers,
            flushes=self._context.flushes,
            on_message=self._on_websocket_message,
            on_close=self._on_websocket_close,
        )

    def _start_upgrade(self) -> None:
        self.upgrading = True
        self._context.timers.after(UPGRADE_TIMEOUT, self._abandon_upgrade)

    def _abandon_upgrade(self) -> None:
        if self.upgrading and self._websocket is not None:
            self._websocket.abort()

    def _finish_upgrade(self) -> None:
        """Send everything over the WebSocket from now on, first what is queued."""
        self.connected = self.upgraded = True
        self.upgrading = False
        for pkt in self._poll_queue.take_all():
            if self._websocket is not None:
                self._websocket.send(frame_of(pkt))

    def _on_websocket_message(self, message: str | bytes) -> None:
        try:
            pkt = packet.Packet(encoded_packet=message)
            if self.upgrading:
                self._receive_probe(pkt)
            else:
                self._receive(pkt)
        except SocketIsClosedError:
            return
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", self.sid, describe(error))
            self.disconnect("garbage")

    def _on_websocket_close(self) -> None:
        """The session ends with its WebSocket; one that was only upgrading to it goes on polling."""
        self.upgrading = False
        if self.upgraded:
            self.close(abort=True, reason=Reason.TRANSPORT_CLOSE)
        else:
            self._websocket = None

    def _receive_probe(self, pkt: packet.Packet) -> None:
        """A polling client pings over the WebSocket, ends its poll, and then says UPGRADE."""
        if self._websocket is None:
            raise SocketIsClosedError
        if pkt.packet_type == packet.PING and pkt.data == "probe":
            self._websocket.send(frame_of(packet.Packet(packet.PONG, "probe")))
            self._poll_queue.put(packet.Packet(packet.NOOP))  # ends a poll that waits
        elif pkt.packet_type == packet.UPGRADE:
            self._finish_upgrade()
        else:
            raise UnknownPacketError

    def _receive(self, pkt: packet.Packet) -> None:
        if pkt.packet_type == packet.PONG:
            self.schedule_ping()
        elif pkt.packet_type == packet.MESSAGE:
            self._context.on_message(self.sid, pkt.data)
        elif pkt.packet_type == packet.UPGRADE:
            self.send(packet.Packet(packet.NOOP))
        elif pkt.packet_type == packet.CLOSE:
            self.close(abort=True, reason=Reason.CLIENT_DISCONNECT)
        else:
            raise UnknownPacketError

    def schedule_ping(self) -> None:
        """Called at the start and for every PONG; a PONG without a PING before it counts for nothing."""
        if self._awaits_pong and not self.closed:
            self._awaits_pong = False
            self._restart_timer(PING_INTERVAL, self._send_ping)

    def _send_ping(self) -> None:
        self._awaits_pong = True
        self._restart_timer(PING_TIMEOUT, self._on_ping_timeout)
        self.send(PING)

    def _on_ping_timeout(self) -> None:
        self._context.counts.disconnects["silent"] += 1
        self.close(reason=Reason.PING_TIMEOUT)

    def _restart_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._context.timers.after(seconds, callback)


def _bad_request() -> dict[str, Any]:
    """A response in engineio's form."""
    return {"status": "400 BAD REQUEST", "headers": [("Content-Type", "text/plain")], "response": b'"Bad Request"'}

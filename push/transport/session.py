"""One client's transport: long polling, a WebSocket, or the first until it becomes the second."""

import contextlib
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import engineio
import engineio.exceptions
import engineio.socket
import gevent
from engineio import packet
from gevent.queue import Empty

from push.errors import describe
from push.outgoing import MAX_BYTES, MAX_PIECES, TooMuchWaits
from push.timers import Timer
from push.websocket import BadHandshake, WebSocket, answer_to, frame_of

if TYPE_CHECKING:
    from push.engine import Engine

log = logging.getLogger(__name__)

MESSAGE_MAX_BYTES = 65_536  # clients send tokens and acknowledgements
POLL_MAX_PACKETS = 16  # in one answer: python-engineio's clients refuse more
UPGRADE_TIMEOUT = 10  # seconds between a client's asking for a WebSocket and its using it
READ_TIMEOUT = 10  # seconds in which a posted body must arrive
PING_INTERVAL = 25
PING_TIMEOUT = 20
PING = packet.Packet(packet.PING)


class Connection(engineio.socket.Socket):  # type: ignore[misc]
    """A client, as Engine.IO knows it."""

    def __init__(self, server: "Engine", sid: str) -> None:
        super().__init__(server, sid)
        self._websocket: WebSocket | None = None
        self._waiting_bytes = 0
        self._awaits_pong = True  # so that the first ping can be scheduled
        self._ping: Timer | None = None

    def send(self, pkt: packet.Packet) -> None:
        """Queue a packet, or cut the client off when too much waits for it already."""
        if self.closed:
            raise engineio.exceptions.SocketIsClosedError
        self.server.counts.sent += 1
        try:
            if self._websocket is not None and self.upgraded:
                self._websocket.send(_frame_of(pkt))
            else:
                self._queue(pkt)
        except TooMuchWaits:
            self.cut_off("slow")

    def _queue(self, pkt: packet.Packet) -> None:
        size, waiting = _size(pkt), self.queue.qsize()
        if waiting and (waiting >= MAX_PIECES or self._waiting_bytes + size > MAX_BYTES):
            raise TooMuchWaits
        self._waiting_bytes += size
        self.queue.put(pkt)

    def poll(self) -> list[packet.Packet]:
        """Wait for what is to be sent to a client that polls, and take some of it; [] at the end."""
        packets = []
        with contextlib.suppress(Empty):
            packets.append(self.queue.get(timeout=PING_INTERVAL + PING_TIMEOUT))
            while packets[-1] is not None and len(packets) < POLL_MAX_PACKETS:
                packets.append(self.queue.get_nowait())
        if not packets:
            raise engineio.exceptions.QueueEmpty
        if packets[-1] is None and len(packets) > 1:
            self.queue.put(None)
        self._waiting_bytes -= sum(map(_size, packets))
        return [pkt for pkt in packets if pkt is not None]

    def close(self, wait: bool = False, abort: bool = False, reason: str | None = None) -> None:  # noqa: ARG002
        super().close(wait=False, abort=abort, reason=reason)  # who waited would wait for a client that does not read
        self.server.sockets.pop(self.sid, None)
        if self._ping is not None:
            self._ping.cancel()
        if self._websocket is not None:
            self._websocket.close()

    def cut_off(self, reason: str) -> None:
        """Close for good and at once, whatever waits; `reason` is one word, for the log and /metrics."""
        if self.closed:
            return
        log.info("client_cut_off eio_sid=%s reason=%s", self.sid, reason)
        self.server.counts.cut_off[reason] += 1
        if self._websocket is not None:
            self._websocket.abort()
        while not self.queue.empty():
            self.queue.get_nowait()
        self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)

    def check_ping_timeout(self) -> bool:
        """Pings have timers of their own."""
        if self.closed:
            raise engineio.exceptions.SocketIsClosedError
        return True

    def schedule_ping(self) -> None:
        """Called for every answer to a ping; only one that was asked for counts."""
        if self._awaits_pong and not self.closed:
            self._awaits_pong = False
            self._again_after(PING_INTERVAL, self._send_ping)

    def _send_ping(self) -> None:
        self._awaits_pong = True
        self._again_after(PING_TIMEOUT, self._give_up)
        self.send(PING)

    def _give_up(self) -> None:
        self.server.counts.cut_off["silent"] += 1
        self.close(reason=self.server.reason.PING_TIMEOUT)

    def _again_after(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._ping is not None:
            self._ping.cancel()
        self._ping = self.server.timers.after(seconds, callback)

    def handle_post_request(self, environ: dict[str, Any]) -> None:
        try:
            with gevent.Timeout(READ_TIMEOUT, TimeoutError):
                super().handle_post_request(environ)
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", self.sid, describe(error))
            raise engineio.exceptions.UnknownPacketError from None  # engineio closes the session and answers 400

    def _upgrade_websocket(self, environ: dict[str, Any], _: Callable[..., Any]) -> Any:
        handler = environ["push.handler"]
        try:
            if self.upgraded or self.upgrading or handler.content_length:
                raise BadHandshake("it is a WebSocket already, or the request has a body")
            answer_to(environ)
        except BadHandshake:
            if not self.connected:
                self.close(abort=True)
            return self.server._bad_request()
        handler.close_connection = True
        self._websocket = self._make_websocket(handler.socket)
        self._websocket.accept(environ)
        self._begin_upgrade() if self.connected else self._upgrade()
        return ()  # the answer is on its way already

    def _make_websocket(self, sock: socket.socket) -> WebSocket:
        return WebSocket(
            sock,
            max_message_bytes=MESSAGE_MAX_BYTES,
            timers=self.server.timers,
            turn=self.server.turn,
            receive=self._receive,
            ended=self._end,
        )

    def _begin_upgrade(self) -> None:
        self.upgrading = True
        self.server.timers.after(UPGRADE_TIMEOUT, self._abandon_upgrade)

    def _upgrade(self) -> None:
        """From here on all goes over the WebSocket, what waits first."""
        self.connected = self.upgraded = True
        self.upgrading = False
        while not self.queue.empty():
            pkt = self.queue.get_nowait()
            if pkt is not None and self._websocket is not None:
                self._websocket.send(_frame_of(pkt))

    def _abandon_upgrade(self) -> None:
        if self.upgrading and self._websocket is not None:
            self._websocket.abort()

    def _receive(self, message: str | bytes) -> None:
        try:
            pkt = packet.Packet(encoded_packet=message)
            self._prove(pkt) if self.upgrading else self.receive(pkt)
        except engineio.exceptions.SocketIsClosedError:
            return
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", self.sid, describe(error))
            self.cut_off("garbage")

    def _prove(self, pkt: packet.Packet) -> None:
        """A client that polls first tries its WebSocket, then stops polling, then says that it uses it."""
        if self._websocket is None:
            raise engineio.exceptions.SocketIsClosedError
        if pkt.packet_type == packet.PING and pkt.data == "probe":
            self._websocket.send(frame_of(packet.Packet(packet.PONG, "probe").encode()))
            self.queue.put(packet.Packet(packet.NOOP))  # ends a poll that waits
        elif pkt.packet_type == packet.UPGRADE:
            self._upgrade()
        else:
            raise engineio.exceptions.UnknownPacketError

    def _end(self) -> None:
        """The WebSocket is over; a session that was only trying it goes on polling."""
        self.upgrading = False
        if self.upgraded:
            self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        else:
            self._websocket = None


def _frame_of(pkt: packet.Packet) -> bytes:
    """Made once for all the clients that are sent this packet."""
    if "frame" not in pkt.__dict__:
        pkt.frame = frame_of(pkt.encode())
    frame: bytes = pkt.frame
    return frame


def _size(pkt: packet.Packet | None) -> int:
    return len(pkt.data) if pkt is not None and isinstance(pkt.data, str | bytes) else 0

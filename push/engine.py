"""Engine.IO with bounds: on what waits for a slow client, and on how long an idle or broken one is kept."""

import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

import engineio
import engineio.exceptions
import engineio.socket
import gevent
from engineio import packet
from gevent.queue import Empty

from push.errors import describe
from push.timers import Timer, Timers
from push.websocket import BadHandshake, Closed, WebSocket

log = logging.getLogger(__name__)

MESSAGE_MAX_BYTES = 65_536  # clients send tokens and acknowledgements
OUTBOX_MAX_PACKETS = 1_000  # beyond these a client is cut off: on its return it asks the API for what it missed
OUTBOX_MAX_BYTES = 1_048_576
POLL_MAX_PACKETS = 16  # in one answer: python-engineio's clients refuse more
UPGRADE_TIMEOUT = 10  # seconds between a client's asking for a WebSocket and its using it
READ_TIMEOUT = 10  # seconds in which a posted body must arrive
PING_INTERVAL = 25
PING_TIMEOUT = 20


class Engine(engineio.Server):  # type: ignore[misc]  # engineio has no types
    """The transports of all clients. Times are measured by the monotonic clock."""

    def __init__(self, timers: Timers, **options: Any) -> None:
        super().__init__(
            async_mode="gevent",
            monitor_clients=False,  # each connection has its own timer
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            max_http_buffer_size=MESSAGE_MAX_BYTES,
            **options,
        )
        self.timers = timers

    def close_all(self) -> int:
        """Hang up on every client, so that it comes back to this server's successor. Returns how many.

        Engine.IO's farewell would tell some clients not to come back.
        """
        connections = list(self.sockets.values())
        for connection in connections:
            connection.close(abort=True)
        return len(connections)

    def cut_off(self, eio_sid: str, reason: str) -> None:
        """Close a client's transport for good, if it is still there."""
        connection = self.sockets.get(eio_sid)
        if connection is not None:
            connection.cut_off(reason)

    def _handle_connect(
        self,
        environ: dict[str, Any],
        start_response: Callable[..., Any],
        transport: str,
        jsonp_index: int | None = None,
    ) -> Any:
        connection = Connection(self, self.generate_id())
        self.sockets[connection.sid] = connection
        connection.send(packet.Packet(packet.OPEN, self._greeting(connection.sid, transport)))
        self._trigger_event("connect", connection.sid, environ, run_async=False)
        connection.schedule_ping()
        if transport == "websocket":
            return connection.handle_get_request(environ, start_response)
        connection.connected = True
        return self._ok(connection.poll(), jsonp_index=jsonp_index)

    def _greeting(self, sid: str, transport: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": PING_TIMEOUT * 1000,
            "pingInterval": PING_INTERVAL * 1000,
            "maxPayload": MESSAGE_MAX_BYTES,
        }


class Connection(engineio.socket.Socket):  # type: ignore[misc]
    """One client's transport: long polling, a WebSocket, or the first until it becomes the second."""

    def __init__(self, server: Engine, sid: str) -> None:
        super().__init__(server, sid)
        self._websocket: WebSocket | None = None
        self._waiting_bytes = 0
        self._awaits_pong = True  # so that the first ping can be scheduled
        self._ping: Timer | None = None

    def send(self, pkt: packet.Packet) -> None:
        """Queue a packet, or cut the client off when too much waits for it already."""
        if self.closed:
            raise engineio.exceptions.SocketIsClosedError
        size = _size(pkt)
        waiting = self.queue.qsize()
        if waiting and (waiting >= OUTBOX_MAX_PACKETS or self._waiting_bytes + size > OUTBOX_MAX_BYTES):
            self.cut_off("too much waits to be read")
            return
        self._waiting_bytes += size
        self.queue.put(pkt)

    def poll(self) -> list[packet.Packet]:
        """Wait for what is to be sent: some of it to a client that polls, all of it to a WebSocket; [] at the end."""
        most = OUTBOX_MAX_PACKETS if self.upgraded else POLL_MAX_PACKETS
        packets = []
        with contextlib.suppress(Empty):
            packets.append(self.queue.get(timeout=PING_INTERVAL + PING_TIMEOUT))
            while packets[-1] is not None and len(packets) < most:
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
        if self._websocket is not None and not self.upgraded:
            self._websocket.abort()

    def cut_off(self, reason: str) -> None:
        """Close for good and at once: what waits is dropped, and so is the connection under it."""
        if self.closed:
            return
        log.info("client_cut_off eio_sid=%s reason=%r waiting=%d", self.sid, reason, self.queue.qsize())
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
        self.send(packet.Packet(packet.PING))

    def _give_up(self) -> None:
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
        if self.upgraded or self.upgrading:
            return self.server._bad_request()
        handler = environ["push.handler"]
        handler.close_connection = True
        websocket = WebSocket(handler.socket, MESSAGE_MAX_BYTES)
        try:
            websocket.accept(environ)
        except (BadHandshake, Closed):
            self.close(abort=True)
            return self.server._bad_request()
        self._websocket = websocket
        self.server.timers.after(UPGRADE_TIMEOUT, self._abandon_upgrade, websocket)
        return self._websocket_handler(websocket)

    def _abandon_upgrade(self, websocket: WebSocket) -> None:
        if not self.upgraded:
            websocket.abort()

    def _websocket_handler(self, ws: WebSocket) -> Iterable[bytes]:
        try:
            super()._websocket_handler(ws)
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", self.sid, describe(error))
            if self._websocket is ws:
                self.cut_off("sent garbage")
        finally:
            ws.abort()
        return []


def _size(pkt: packet.Packet | None) -> int:
    return len(pkt.data) if pkt is not None and isinstance(pkt.data, str | bytes) else 0

"""Engine.IO with bounds: on how many clients there are, and on how long an idle or broken one is kept."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import engineio
from engineio import packet

from push.connection import MESSAGE_MAX_BYTES, PING_INTERVAL, PING_TIMEOUT, Connection
from push.health import problem_answer
from push.metrics import Counts
from push.outgoing import Turn
from push.timers import Timers

RETRY_AFTER = 10  # seconds that a client is asked to stay away from a full server


class Engine(engineio.Server):  # type: ignore[misc]  # engineio has no types
    """The transports of all clients. Times are measured by the monotonic clock."""

    def __init__(self, timers: Timers, counts: Counts, max_sockets: int, **options: Any) -> None:
        super().__init__(
            async_mode="gevent",
            monitor_clients=False,  # each connection has its own timer
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            max_http_buffer_size=MESSAGE_MAX_BYTES,
            **options,
        )
        self.timers = timers
        self.turn = Turn()
        self.counts = counts
        self._max_sockets = max_sockets

    def close_all(self) -> int:
        """Hang up on every client, so that it comes back to this server's successor. Returns how many.

        Engine.IO's farewell would tell some clients not to come back.
        """
        connections = list(self.sockets.values())
        for connection in connections:
            connection.close(abort=True)
        return len(connections)

    def cut_off(self, eio_sid: str, reason: str) -> None:
        """Close a client's transport for good, if it is still there; `reason` is one word."""
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
        if len(self.sockets) >= self._max_sockets:
            return self._full()
        connection = Connection(self, self.generate_id())
        self.sockets[connection.sid] = connection
        connection.send(packet.Packet(packet.OPEN, self._greeting(connection.sid, transport)))
        self._trigger_event("connect", connection.sid, environ, run_async=False)
        connection.schedule_ping()
        if transport == "websocket":
            return connection.handle_get_request(environ, start_response)
        connection.connected = True
        return self._ok(connection.poll(), jsonp_index=jsonp_index)

    def _full(self) -> dict[str, Any]:
        self.counts.refused["server_full"] += 1
        status, headers, body = problem_answer(
            HTTPStatus.SERVICE_UNAVAILABLE, "server_full", "This push server holds all the sockets it may."
        )
        return {"status": status, "headers": [*headers, ("Retry-After", str(RETRY_AFTER))], "response": body}

    def _greeting(self, sid: str, transport: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": PING_TIMEOUT * 1000,
            "pingInterval": PING_INTERVAL * 1000,
            "maxPayload": MESSAGE_MAX_BYTES,
        }

"""The Engine.IO server: sessions of all clients, and the bound on how many there are."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import engineio
from engineio import packet

from push.health import problem_response
from push.metrics import Counts
from push.transport.limits import MESSAGE_MAX_BYTES, PING_INTERVAL, PING_TIMEOUT
from push.transport.send_buffer import FlushQueue
from push.transport.session import Session, SessionContext
from push.transport.timers import Timers

RETRY_AFTER = 10  # seconds that a full server asks a client to stay away


class Engine(engineio.Server):  # type: ignore[misc]  # engineio has no types
    """Routes requests as engineio does; the sessions behind them are `Session`, bounded in memory and time."""

    def __init__(self, timers: Timers, counts: Counts, max_sockets: int, **options: Any) -> None:
        super().__init__(async_mode="gevent", monitor_clients=False, **options)  # sessions have timers of their own
        self._counts, self._max_sockets = counts, max_sockets
        self._context = SessionContext(timers, FlushQueue(), counts, self._on_message, self._on_close)

    def close_all(self) -> int:
        """Close every session without Engine.IO's CLOSE packet, after which some clients would not reconnect.

        Returns how many there were.
        """
        sessions = list(self.sockets.values())
        for session in sessions:
            session.close(abort=True)
        return len(sessions)

    def _on_message(self, eio_sid: str, data: Any) -> None:
        self._trigger_event("message", eio_sid, data, run_async=False)

    def _on_close(self, eio_sid: str, reason: str) -> None:
        self._trigger_event("disconnect", eio_sid, reason, run_async=False)
        self.sockets.pop(eio_sid, None)

    def _handle_connect(
        self,
        environ: dict[str, Any],
        start_response: Callable[..., Any],  # noqa: ARG002  (engineio's signature)
        transport: str,
        jsonp_index: int | None = None,
    ) -> Any:
        if len(self.sockets) >= self._max_sockets:
            return self._server_full()
        session = Session(self.generate_id(), self._context)
        self.sockets[session.sid] = session
        session.send(packet.Packet(packet.OPEN, self._handshake(session.sid, transport)))
        self._trigger_event("connect", session.sid, environ, run_async=False)
        session.schedule_ping()
        if transport == "websocket":
            return session.upgrade(environ)
        session.connected = True
        return self._ok(session.poll(), jsonp_index=jsonp_index)

    def _server_full(self) -> dict[str, Any]:
        self._counts.refused["server_full"] += 1
        status, headers, body = problem_response(
            HTTPStatus.SERVICE_UNAVAILABLE, "server_full", "This push server has its maximum number of sockets."
        )
        return {"status": status, "headers": [*headers, ("Retry-After", str(RETRY_AFTER))], "response": body}

    def _handshake(self, sid: str, transport: str) -> dict[str, Any]:
        """The data of Engine.IO's OPEN packet."""
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": PING_TIMEOUT * 1000,
            "pingInterval": PING_INTERVAL * 1000,
            "maxPayload": MESSAGE_MAX_BYTES,
        }

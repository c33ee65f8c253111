"""The push server: Socket.IO over gevent, with its health endpoints, built from values."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from socket import socket
from typing import Any

import gevent
import socketio
from gevent.pywsgi import WSGIServer

from auth.revocations import ReadRevocations
from auth.tokens import TokenVerifier
from lib.origins import names_host
from push.broker.listener import Listener
from push.broker.wire import NAMESPACE
from push.health import Health
from push.metrics import Counts, Metrics, State
from push.namespace import InboxNamespace
from push.revocations import RevocationMonitor
from push.transport.engine import Engine
from push.transport.http import HttpHandler
from push.transport.session import Session
from push.transport.timers import Timers
from push.user_sockets import UserSockets
from telemetry.errors import describe

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10  # seconds in which a new transport must CONNECT to the namespace
CLOSE_DELAY = 1  # seconds between the last packet to a refused or disconnected client and the end of its transport
BROKER_TIMEOUT = 5  # seconds that clients wait for the first attempt to connect to the broker
HTTP_MAX = 1_000  # connections that are not sockets: requests, and connections that sent no request yet
BACKLOG = 4096  # after a restart all clients reconnect at once
# For libraries that log what clients send: `configure_logging` passes only errors of this logger.
QUIET = logging.getLogger("socketio.server")


@dataclass(frozen=True)
class Limits:
    """How many sockets one push server accepts. A transport counts before it has connected to the namespace."""

    sockets: int
    sockets_per_user: int


class SocketServer(socketio.Server):  # type: ignore[misc]  # socketio has no types
    """Socket.IO that closes the transports of idle, refused and broken clients."""

    def __init__(
        self, manager: Listener, timers: Timers, counts: Counts, origins: Sequence[str], max_sockets: int
    ) -> None:
        self.timers, self._counts = timers, counts
        super().__init__(
            client_manager=manager,
            logger=QUIET,
            engineio_logger=QUIET,
            async_handlers=False,  # a client's events are handled one after the other, so they cannot pile up
            cors_allowed_origins=lambda origin, environ: _is_allowed(origin, environ, origins),
            cors_credentials=False,  # the token is not a cookie
            timers=timers,
            counts=counts,
            max_sockets=max_sockets,
        )

    def listen(self) -> None:
        """Connect to the broker now; Socket.IO would do so for the first client."""
        self.manager_initialized = True
        self.manager.initialize()

    def transport_of(self, sid: str) -> Session | None:
        """The Engine.IO session of a client; None once it has ended."""
        session: Session | None = self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, NAMESPACE))
        return session

    def forget_request(self, sid: str) -> None:
        """Drop the request that opened a client's transport; its query may hold the token."""
        self.environ[self.manager.eio_sid_from_sid(sid, NAMESPACE)] = {}

    def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """Keep only the query of the request, which may hold the token: the environ takes several KiB."""
        super()._handle_eio_connect(eio_sid, {"QUERY_STRING": environ.get("QUERY_STRING", "")})
        self.timers.after(CONNECT_TIMEOUT, self._close_unless_connected, eio_sid, "unconnected")

    def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            super()._handle_eio_message(eio_sid, data)
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", eio_sid, describe(error))
            if (session := self.eio.sockets.get(eio_sid)) is not None:
                session.disconnect("garbage")

    def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        super()._handle_connect(eio_sid, namespace, data)
        self.timers.after(CLOSE_DELAY, self._close_unless_connected, eio_sid)

    def _trigger_event(self, event: object, namespace: str, *args: Any) -> Any:
        if event == "disconnect":
            eio_sid = self.manager.eio_sid_from_sid(args[0], namespace)
            self.timers.after(CLOSE_DELAY, self._close_unless_connected, eio_sid)
        return super()._trigger_event(event, namespace, *args)

    def _close_unless_connected(self, eio_sid: str, reason: str = "") -> None:
        if eio_sid in self.eio.sockets and self.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is None:
            if reason:  # otherwise it was counted when it was refused, or when its token expired
                self._counts.disconnects[reason] += 1
            self.eio.sockets[eio_sid].close()

    def _engineio_server_class(self) -> type[Engine]:
        return Engine


class PushServer:
    """One push server. `run()` serves the clients of its listening socket."""

    def __init__(
        self,
        *,
        sock: socket,
        broker_url: str,
        verifier: TokenVerifier,
        origins: Sequence[str],
        limits: Limits,
        read_revocations: ReadRevocations,
        on_death: Callable[[gevent.Greenlet], None],
    ) -> None:
        timers, counts, sockets = Timers(), Counts(), UserSockets()
        self._timers, self._sockets, self._on_death = timers, sockets, on_death
        self._revocations = RevocationMonitor(
            read_revocations, lambda user, moment: sockets.close(user, "revoked", issued_before=moment)
        )
        self._listener = Listener(broker_url, self._revocations, counts, on_death)
        self._server = SocketServer(self._listener, timers, counts, origins, limits.sockets)
        self._server.register_namespace(
            InboxNamespace(verifier, self._revocations.covers, sockets, timers, counts, limits.sockets_per_user)
        )
        self._http = WSGIServer(
            sock,
            socketio.WSGIApp(self._server, Health(self._state, Metrics(counts, self._state))),
            log=None,  # an access log would hold the tokens of clients that put them into the URL
            error_log=QUIET,
            environ={"SERVER_NAME": str(sock.getsockname()[0])},  # otherwise pywsgi looks it up in DNS
            handler_class=HttpHandler,
            spawn=limits.sockets + HTTP_MAX,
        )

    def run(self) -> None:
        """Serve until `stop()`.

        Clients are accepted after the first attempt to connect to the broker, so that they need not sync twice.
        """
        for work in (self._timers.run, self._revocations.run):
            gevent.spawn(work).link(self._on_death)
        self._server.listen()
        self._listener.attempted.wait(BROKER_TIMEOUT)
        self._http.serve_forever()

    def _state(self) -> State:
        return State(
            transports=len(self._server.eio.sockets),
            sockets=len(self._sockets),
            users=self._sockets.users,
            broker_connected=self._listener.connected,
            revocations_loaded=self._revocations.loaded,
        )

    def stop(self) -> None:
        """Accept no more clients, close the sockets, and let `run()` return."""
        self._http.stop_accepting()
        self._http.socket.close()
        if self._server.eio.close_all():
            gevent.sleep(CLOSE_DELAY)
        self._http.stop()


def _is_allowed(origin: str | None, environ: dict[str, Any], listed: Sequence[str]) -> bool:
    """Whether the origin is listed, or the server's own, which Python's websocket-client sends."""
    if origin is None:
        return False
    return origin.lower() in listed or names_host(origin, environ.get("HTTP_HOST", ""))

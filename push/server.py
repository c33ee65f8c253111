"""Builds the push server from values: Socket.IO over gevent, its health, and what ends with it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from socket import socket
from typing import Any

import gevent
import socketio
from gevent.pywsgi import WSGIServer

from auth.tokens import TokenVerifier
from lib.origins import names_host
from push.broker.listener import Listener
from push.broker.wire import NAMESPACE
from push.health import Health
from push.metrics import Counts, Metrics, State
from push.namespace import InboxNamespace
from push.revocations import Load, Revoked
from push.transport.engine import Engine
from push.transport.http import HttpHandler
from push.transport.timers import Timers
from telemetry.errors import describe

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10  # seconds in which a new transport must CONNECT to the namespace
FAREWELL = 1  # seconds between the last packet for a refused or disconnected client and the end of its transport
HEAR_TIMEOUT = 5  # seconds for the first attempt to hear the broker: without it sockets are served all the same
HTTP_MAX = 1_000  # connections beside the sockets: requests, and who does not say yet what it wants
BACKLOG = 4096  # after a restart all clients come back at once
# The libraries' logs repeat what clients send; ours say what matters.
QUIET = logging.getLogger("socketio.server")


@dataclass(frozen=True)
class Limits:
    """How many sockets one push server holds; those that have not connected yet count, too."""

    sockets: int
    sockets_per_user: int


class SocketServer(socketio.Server):  # type: ignore[misc]  # socketio has no types
    """Socket.IO whose idle, refused and broken clients are closed."""

    def __init__(
        self, manager: Listener, timers: Timers, counts: Counts, origins: Sequence[str], max_sockets: int
    ) -> None:
        self.timers, self._counts = timers, counts
        super().__init__(
            client_manager=manager,
            logger=QUIET,
            engineio_logger=QUIET,
            async_handlers=False,  # a client's next event waits for its last one: the reader is the bound
            cors_allowed_origins=lambda origin, environ: _is_allowed(origin, environ, origins),
            cors_credentials=False,  # the token is no cookie
            timers=timers,
            counts=counts,
            max_sockets=max_sockets,
        )

    def listen(self) -> None:
        """Listen to the broker now, not when the first client comes."""
        self.manager_initialized = True
        self.manager.initialize()

    def still_there(self, sid: str) -> bool:
        return self.manager.eio_sid_from_sid(sid, NAMESPACE) in self.eio.sockets

    def cut_off(self, sid: str, reason: str) -> None:
        """Close a connected client's transport for good."""
        self.eio.cut_off(self.manager.eio_sid_from_sid(sid, NAMESPACE), reason)

    def forget_request(self, sid: str) -> None:
        """A connected client's first request has served its purpose."""
        self.environ[self.manager.eio_sid_from_sid(sid, NAMESPACE)] = {}

    def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        """Of the request only what may hold a token is kept: the whole is several KiB."""
        super()._handle_eio_connect(eio_sid, {"QUERY_STRING": environ.get("QUERY_STRING", "")})
        self.timers.after(CONNECT_TIMEOUT, self._close_unless_connected, eio_sid, "unconnected")

    def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            super()._handle_eio_message(eio_sid, data)
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", eio_sid, describe(error))
            self.eio.cut_off(eio_sid, "garbage")

    def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        super()._handle_connect(eio_sid, namespace, data)
        self.timers.after(FAREWELL, self._close_unless_connected, eio_sid)

    def _trigger_event(self, event: object, namespace: str, *args: Any) -> Any:
        if event == "disconnect":
            eio_sid = self.manager.eio_sid_from_sid(args[0], namespace)
            self.timers.after(FAREWELL, self._close_unless_connected, eio_sid)
        return super()._trigger_event(event, namespace, *args)

    def _close_unless_connected(self, eio_sid: str, reason: str = "") -> None:
        if eio_sid in self.eio.sockets and self.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is None:
            if reason:  # else it was counted when it was refused, or its token expired
                self._counts.cut_off[reason] += 1
            self.eio.sockets[eio_sid].close()

    def _engineio_server_class(self) -> type[Engine]:
        return Engine


class PushServer:
    """One push server: it serves the clients of its listening socket in `run()`."""

    def __init__(
        self,
        *,
        sock: socket,
        broker_url: str,
        verifier: TokenVerifier,
        origins: Sequence[str],
        limits: Limits,
        load_revocations: Load,
        on_death: Callable[[gevent.Greenlet], None],
    ) -> None:
        self._timers, self._counts = Timers(), Counts()
        self._on_death = on_death
        self._revoked = Revoked(load_revocations, self._revoke)
        self._inboxes = InboxNamespace(
            verifier, self._revoked.covers, self._timers, self._counts, limits.sockets_per_user
        )
        self.listener = Listener(broker_url, self._revoked, self._counts, on_death)
        self.sockets = SocketServer(self.listener, self._timers, self._counts, origins, limits.sockets)
        self.sockets.register_namespace(self._inboxes)
        self._http = WSGIServer(
            sock,
            socketio.WSGIApp(self.sockets, Health(self._state, Metrics(self._counts, self._state))),
            log=None,  # its lines would hold the tokens of clients that put them into the address
            error_log=QUIET,
            environ={"SERVER_NAME": str(sock.getsockname()[0])},  # else it is asked of the name service
            handler_class=HttpHandler,
            spawn=limits.sockets + HTTP_MAX,
        )

    def run(self) -> None:
        """Serve until `stop()`. Who knocks before the broker is heard waits a moment, and need not sync twice."""
        for work in (self._timers.run, self._revoked.run):
            gevent.spawn(work).link(self._on_death)
        self.sockets.listen()
        self.listener.tried.wait(HEAR_TIMEOUT)
        self._http.serve_forever()

    def _revoke(self, user_id: str, revoked_before: datetime) -> None:
        self._inboxes.revoke(user_id, revoked_before)

    def _state(self) -> State:
        return State(
            transports=len(self.sockets.eio.sockets),
            sockets=self._inboxes.sockets,
            users=self._inboxes.users,
            hears=self.listener.hears,
            knows_revocations=self._revoked.loaded,
        )

    def stop(self) -> None:
        """Take no new clients, say goodbye to those that are here, and let `run()` return."""
        self._http.stop_accepting()
        self._http.socket.close()
        if self.sockets.eio.close_all():
            gevent.sleep(FAREWELL)
        self._http.stop()


def _is_allowed(origin: str | None, environ: dict[str, Any], listed: Sequence[str]) -> bool:
    """A listed origin, or the server's own: Python's websocket-client sends that one. No page is served here."""
    if origin is None:
        return False
    return origin.lower() in listed or names_host(origin, environ.get("HTTP_HOST", ""))

"""Builds the push server from values: Socket.IO over gevent, its health, and what ends with it."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import socketio
from gevent.pywsgi import WSGIHandler, WSGIServer

from push.engine import Engine
from push.errors import describe
from push.health import Health
from push.listener import Listener
from push.namespace import InboxNamespace
from push.timers import Timers
from push.tokens import TokenVerifier
from push.wire import NAMESPACE

log = logging.getLogger(__name__)

CONNECT_TIMEOUT = 10  # seconds in which a new transport must CONNECT to the namespace
FAREWELL = 1  # seconds between the last packet for a refused or disconnected client and the end of its transport
REQUEST_TIMEOUT = 10  # seconds in which the next request must arrive on an open connection
BACKLOG = 4096  # after a restart all clients come back at once
# The libraries' logs repeat what clients send; ours say what matters.
QUIET = logging.getLogger("socketio.server")


class SocketServer(socketio.Server):  # type: ignore[misc]  # socketio has no types
    """Socket.IO whose idle, refused and broken clients are closed."""

    def __init__(self, manager: Listener, timers: Timers, origins: Sequence[str]) -> None:
        self.timers = timers
        super().__init__(
            client_manager=manager,
            logger=QUIET,
            engineio_logger=QUIET,
            async_handlers=False,  # a client's next event waits for its last one: the reader is the bound
            cors_allowed_origins=lambda origin, environ: origin in origins or _is_own(origin, environ),
            cors_credentials=False,  # the token is no cookie
            timers=timers,
        )

    def listen(self) -> None:
        """Listen to the broker now, not when the first client comes."""
        self.manager_initialized = True
        self.manager.initialize()

    def still_there(self, sid: str) -> bool:
        return self.manager.eio_sid_from_sid(sid, NAMESPACE) in self.eio.sockets

    def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        super()._handle_eio_connect(eio_sid, environ)
        self.timers.after(CONNECT_TIMEOUT, self._close_unless_connected, eio_sid)

    def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        try:
            super()._handle_eio_message(eio_sid, data)
        except Exception as error:
            log.info("client_sent_garbage eio_sid=%s %s", eio_sid, describe(error))
            self.eio.cut_off(eio_sid, "sent garbage")

    def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        super()._handle_connect(eio_sid, namespace, data)
        self.timers.after(FAREWELL, self._close_unless_connected, eio_sid)

    def _trigger_event(self, event: object, namespace: str, *args: Any) -> Any:
        if event == "disconnect":
            eio_sid = self.manager.eio_sid_from_sid(args[0], namespace)
            self.timers.after(FAREWELL, self._close_unless_connected, eio_sid)
        return super()._trigger_event(event, namespace, *args)

    def _close_unless_connected(self, eio_sid: str) -> None:
        if eio_sid in self.eio.sockets and self.manager.sid_from_eio_sid(eio_sid, NAMESPACE) is None:
            self.eio.sockets[eio_sid].close()

    def _engineio_server_class(self) -> type[Engine]:
        return Engine


class Handler(WSGIHandler):  # type: ignore[misc]  # gevent has no types for it
    """Gives WebSockets their socket, waits a bounded time for requests, and logs nothing of them."""

    def read_requestline(self) -> Any:
        return self._in_time(super().read_requestline, "")

    def read_request(self, raw_requestline: str) -> Any:
        return self._in_time(lambda: super(Handler, self).read_request(raw_requestline), None)

    def _in_time(self, read: Callable[[], Any], otherwise: Any) -> Any:
        with gevent.Timeout(REQUEST_TIMEOUT, False):
            return read()
        self.close_connection = True
        return otherwise

    def get_environ(self) -> Any:
        environ = super().get_environ()
        environ["push.handler"] = self
        return environ

    def _handle_client_error(self, ex: BaseException) -> Any:
        log.info("bad_request error=%s", type(ex).__name__)  # its text holds the address, and that a token
        answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return "400", answer

    def _log_error(self, _t: object, error: BaseException, _tb: object) -> None:
        log.error("request_failed %s", describe(error))


class PushServer:
    """One push server: bound to its port from the beginning, serving in `run()`."""

    def __init__(
        self,
        *,
        host: str,
        port: int,
        broker_url: str,
        verifier: TokenVerifier,
        origins: Sequence[str],
        on_death: Callable[[gevent.Greenlet], None],
    ) -> None:
        self._timers = Timers()
        self._on_death = on_death
        self.listener = Listener(broker_url, on_death)
        self.sockets = SocketServer(self.listener, self._timers, origins)
        self.sockets.register_namespace(InboxNamespace(verifier, self._timers))
        self._http = WSGIServer(
            (host, port),
            socketio.WSGIApp(self.sockets, Health(self.listener)),
            backlog=BACKLOG,
            log=None,  # its lines would hold the tokens of clients that put them into the address
            error_log=QUIET,
            environ={"SERVER_NAME": host},  # else it is asked of the name service
            handler_class=Handler,
        )
        self._http.init_socket()

    def run(self) -> None:
        """Serve until `stop()`."""
        gevent.spawn(self._timers.run).link(self._on_death)
        self.sockets.listen()
        self._http.serve_forever()

    def stop(self) -> None:
        """Take no new clients, say goodbye to those that are here, and let `run()` return."""
        self._http.stop_accepting()
        self._http.socket.close()
        if self.sockets.eio.close_all():
            gevent.sleep(FAREWELL)
        self._http.stop()


def _is_own(origin: str | None, environ: dict[str, Any]) -> bool:
    """Python's websocket-client names the server's own address as its origin. No page is served here that could."""
    return origin is not None and origin.partition("://")[2] == environ.get("HTTP_HOST")

"""The Socket.IO namespace `/`: verifies tokens, puts clients into their rooms, and ends sockets at token expiry."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import socketio
from socketio.exceptions import ConnectionRefusedError

from auth.scopes import INBOX
from auth.tokens import Claims, InvalidToken, KeysUnavailable, TokenVerifier
from push.broker.wire import NAMESPACE, room_of
from push.metrics import Counts
from push.transport.timers import Timers
from push.user_sockets import UserSocket, UserSockets
from telemetry.errors import describe

log = logging.getLogger(__name__)

WARN_SECONDS = 60  # before a token expires; for a token of less than five minutes, a fifth of its remaining time
WARN_FRACTION = 5
EVENT_NAME_MAX = 100  # characters of an unknown event's name in the error about it


class Refused(Exception):
    """The client may not connect. It is sent `code`; the message is for the log."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class InboxNamespace(socketio.Namespace):  # type: ignore[misc]  # socketio has no types
    """Each client is in the room of its token's `sub`. No event that a client sends can name a room."""

    def __init__(
        self,
        verifier: TokenVerifier,
        is_revoked: Callable[[Claims], bool],
        sockets: UserSockets,
        timers: Timers,
        counts: Counts,
        max_sockets_per_user: int,
    ) -> None:
        super().__init__(NAMESPACE)
        self._verifier, self._is_revoked = verifier, is_revoked
        self._sockets, self._timers, self._counts = sockets, timers, counts
        self._max_sockets_per_user = max_sockets_per_user

    def on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        claims = self._verify(_token_in(auth, environ))
        transport = self.server.transport_of(sid)
        if transport is None:
            raise Refused("gone", "the client left while its token was verified")
        if self._sockets.count(claims.sub) >= self._max_sockets_per_user:
            raise Refused("too_many_sockets", "the user has the maximum number of sockets on this server")
        socket = UserSocket(sid, claims, transport)
        self._sockets.add(socket)
        self.enter_room(sid, room_of(claims.sub))
        self._schedule_expiry(socket)
        self.server.forget_request(sid)
        log.info("client_connected sid=%s recipient=%r", sid, claims.sub)

    def on_disconnect(self, sid: str, reason: str = "") -> None:
        socket = self._sockets.remove(sid)
        if socket is not None:
            _cancel_timers(socket)
        log.info("client_disconnected sid=%s reason=%r", sid, reason)

    def on_authenticate(self, sid: str, data: object = None, *_: object) -> dict[str, Any]:
        """Accept a new token of the same recipient: the socket stays open until that one expires."""
        try:
            claims = self._verify(data.get("token") if isinstance(data, dict) else None)
        except Refused as refused:
            return failure(refused.code)
        socket = self._sockets.get(sid)
        if socket is None or socket.claims.sub != claims.sub:
            return failure("unauthorized")
        socket.claims = claims
        self._schedule_expiry(socket)
        return {"ok": True, "expires_at": rfc3339(claims.expires_at)}

    def on_ping(self, _sid: str, *_: object) -> dict[str, Any]:
        """Let a client see by the acknowledgement that its connection is alive."""
        return {"ok": True}

    def trigger_event(self, event: object, sid: str, *args: Any) -> Any:
        """Handle any event. If a handler raises, the client gets an error and stays connected."""
        if event == "connect" and self.server.manager.is_pre_connected(sid, NAMESPACE):
            return self._connect(sid, *args)
        if event == "disconnect" and not self.server.manager.is_connected(sid, NAMESPACE):
            return self.on_disconnect(sid, *args)
        return self._call_handler(event, sid, args)

    def _connect(self, sid: str, *args: Any) -> None:
        try:
            self.on_connect(sid, *args)
        except Refused as refused:
            log.info("client_refused sid=%s code=%s reason=%s", sid, refused.code, refused)
            self._counts.refused[refused.code] += 1
            raise ConnectionRefusedError(refused.code, {"code": refused.code}) from None
        except Exception as error:
            log.error("handler_failed event=connect sid=%s %s", sid, describe(error))
            raise ConnectionRefusedError("internal_error", {"code": "internal_error"}) from None

    def _call_handler(self, event: object, sid: str, args: tuple[Any, ...]) -> Any:
        name = event if isinstance(event, str) else ""
        reserved = name in self.server.reserved_events
        handler = getattr(self, f"on_{name}", None)
        if handler is None or reserved:
            return self._fail(sid, name, "unknown_event")
        try:
            return handler(sid, *args)
        except Exception as error:
            log.error("handler_failed event=%s sid=%s %s", name, sid, describe(error))
            return self._fail(sid, name, "internal_error")

    def _fail(self, sid: str, event: str, code: str) -> dict[str, Any]:
        self.emit("error", {"code": code, "event": event[:EVENT_NAME_MAX]}, room=sid, ignore_queue=True)
        return failure(code)

    def _verify(self, token: Any) -> Claims:
        try:
            claims = self._verifier.verify(token)
        except InvalidToken as error:
            raise Refused("unauthorized", str(error)) from None
        except KeysUnavailable as error:
            raise Refused("unavailable", str(error)) from None
        if INBOX not in claims.scopes:
            raise Refused("unauthorized", "the token lacks the scope inbox")
        if self._is_revoked(claims):
            raise Refused("unauthorized", "revoked")
        return claims

    def _schedule_expiry(self, socket: UserSocket) -> None:
        """Set the timers of the socket's token.

        The system clock is read once, here; a later step of it disconnects nobody.
        """
        expires_at = socket.claims.expires_at
        _cancel_timers(socket)
        remaining = expires_at.timestamp() - time.time()
        warn_in = remaining - min(WARN_SECONDS, remaining / WARN_FRACTION)
        socket.timers = (
            self._timers.after(warn_in, self._warn, socket.sid, expires_at),
            self._timers.after(remaining, self._end, socket.sid),
        )

    def _warn(self, sid: str, expires_at: datetime) -> None:
        self.emit("token_expiring", {"expires_at": rfc3339(expires_at)}, room=sid, ignore_queue=True)

    def _end(self, sid: str) -> None:
        log.info("token_expired sid=%s", sid)
        self._counts.disconnects["expired"] += 1
        self.server.disconnect(sid, NAMESPACE, ignore_queue=True)


def _cancel_timers(socket: UserSocket) -> None:
    for timer in socket.timers:
        timer.cancel()


def failure(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code}}


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _token_in(auth: object, environ: dict[str, Any]) -> object:
    """The token of the handshake's `auth: {"token"}`, or of the URL, where older clients put it."""
    if isinstance(auth, dict) and "token" in auth:
        return auth["token"]
    return parse_qs(environ.get("QUERY_STRING", "")).get("token", [None])[0]

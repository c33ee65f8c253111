"""The namespace `/`: who may connect, which room that is, and until when."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import socketio
from socketio.exceptions import ConnectionRefusedError

from auth.scopes import INBOX
from auth.tokens import Claims, InvalidToken, KeysUnavailable, TokenVerifier
from push.broker.wire import NAMESPACE, room_of
from push.metrics import Counts
from push.transport.timers import Timer, Timers
from telemetry.errors import describe

log = logging.getLogger(__name__)

WARN_SECONDS = 60  # before a token expires its client is warned: a minute, or a fifth of its time if that is less
WARN_FRACTION = 5
EVENT_NAME_MAX = 100  # characters of an unknown event's name that are repeated


class Refused(Exception):
    """The token does not open a socket; `code` is what the client is told."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass
class Session:
    """One connected client, and the token that holds its socket open."""

    claims: Claims
    timers: tuple[Timer, ...] = ()


class InboxNamespace(socketio.Namespace):  # type: ignore[misc]  # socketio has no types
    """Each client is in the room of its token's `sub`, and no event of a client can name a room."""

    def __init__(
        self,
        verifier: TokenVerifier,
        covers: Callable[[Claims], bool],
        timers: Timers,
        counts: Counts,
        max_sockets_per_user: int,
    ) -> None:
        """`covers` says whether a token was revoked."""
        super().__init__(NAMESPACE)
        self._verifier, self._covers = verifier, covers
        self._timers, self._counts = timers, counts
        self._max_sockets_per_user = max_sockets_per_user
        self._sessions: dict[str, Session] = {}
        self._sids_of: dict[str, set[str]] = {}

    @property
    def sockets(self) -> int:
        return len(self._sessions)

    @property
    def users(self) -> int:
        return len(self._sids_of)

    def revoke(self, user_id: str, revoked_before: datetime) -> None:
        """Close at once what this user's tokens of before that moment hold open."""
        for sid in list(self._sids_of.get(user_id, ())):
            if self._sessions[sid].claims.issued_before(revoked_before):
                log.info("token_revoked sid=%s", sid)
                self.server.cut_off(sid, "revoked")

    def on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        claims = self._verify(_token_in(auth, environ))
        if not self.server.still_there(sid):
            raise Refused("gone", "the client left while its token was verified")
        sids = self._sids_of.setdefault(claims.sub, set())
        if len(sids) >= self._max_sockets_per_user:
            raise Refused("too_many_sockets", "this user has as many sockets here as one may")
        sids.add(sid)
        self._sessions[sid] = Session(claims)
        self.enter_room(sid, room_of(claims.sub))
        self._expire(sid, claims)
        self.server.forget_request(sid)
        log.info("client_connected sid=%s recipient=%r", sid, claims.sub)

    def on_disconnect(self, sid: str, reason: str = "") -> None:
        session = self._sessions.pop(sid, None)
        if session is not None:
            self._forget(sid, session)
        log.info("client_disconnected sid=%s reason=%r", sid, reason)

    def _forget(self, sid: str, session: Session) -> None:
        for timer in session.timers:
            timer.cancel()
        sids = self._sids_of[session.claims.sub]
        sids.discard(sid)
        if not sids:
            del self._sids_of[session.claims.sub]

    def on_authenticate(self, sid: str, data: object = None, *_: object) -> dict[str, Any]:
        """A new token for the same recipient: the client stays until that one expires."""
        try:
            claims = self._verify(data.get("token") if isinstance(data, dict) else None)
        except Refused as refused:
            return failure(refused.code)
        session = self._sessions.get(sid)
        if session is None or session.claims.sub != claims.sub:
            return failure("unauthorized")
        self._expire(sid, claims)
        return {"ok": True, "expires_at": rfc3339(claims.expires_at)}

    def on_ping(self, _sid: str, *_: object) -> dict[str, Any]:
        """A client asks whether its connection is alive: the acknowledgement is the answer."""
        return {"ok": True}

    def trigger_event(self, event: object, sid: str, *args: Any) -> Any:
        """Every event comes through here; an exception in a handler ends neither the connection nor the silence."""
        if event == "connect" and self.server.manager.is_pre_connected(sid, NAMESPACE):
            return self._connect(sid, *args)
        if event == "disconnect" and not self.server.manager.is_connected(sid, NAMESPACE):
            return self.on_disconnect(sid, *args)
        return self._answer(event, sid, args)

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

    def _answer(self, event: object, sid: str, args: tuple[Any, ...]) -> Any:
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
        told = {"code": code, "event": event[:EVENT_NAME_MAX]}
        self.emit("error", told, room=sid, ignore_queue=True)
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
        if self._covers(claims):
            raise Refused("unauthorized", "revoked")
        return claims

    def _expire(self, sid: str, claims: Claims) -> None:
        """From now on this token counts.

        The time that is left is measured once, here: a jump of the clock later on disconnects nobody.
        """
        session, expires_at = self._sessions[sid], claims.expires_at
        session.claims = claims
        for timer in session.timers:
            timer.cancel()
        left = expires_at.timestamp() - time.time()
        warn_in = left - min(WARN_SECONDS, left / WARN_FRACTION)
        session.timers = (
            self._timers.after(warn_in, self._warn, sid, expires_at),
            self._timers.after(left, self._end, sid),
        )

    def _warn(self, sid: str, expires_at: datetime) -> None:
        self.emit("token_expiring", {"expires_at": rfc3339(expires_at)}, room=sid, ignore_queue=True)

    def _end(self, sid: str) -> None:
        log.info("token_expired sid=%s", sid)
        self._counts.cut_off["expired"] += 1
        self.server.disconnect(sid, NAMESPACE, ignore_queue=True)


def failure(code: str) -> dict[str, Any]:
    return {"ok": False, "error": {"code": code}}


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _token_in(auth: object, environ: dict[str, Any]) -> object:
    """The handshake's `auth: {"token"}`; older clients put it into the address."""
    if isinstance(auth, dict) and "token" in auth:
        return auth["token"]
    return parse_qs(environ.get("QUERY_STRING", "")).get("token", [None])[0]

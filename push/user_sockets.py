"""The connected sockets of each user."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from auth.tokens import Claims
from push.transport.timers import Timer

log = logging.getLogger(__name__)


class Transport(Protocol):
    def disconnect(self, reason: str) -> None:
        """End the connection at once; `reason` is one word."""


@dataclass(eq=False, slots=True)
class UserSocket:
    """A client that connected with a valid token. `claims` and `timers` are those of its newest token."""

    sid: str
    claims: Claims
    transport: Transport
    timers: tuple[Timer, ...] = ()


class UserSockets:
    """Every connected socket, by its sid and by its user. `len()` is the number of sockets."""

    def __init__(self) -> None:
        self._by_sid: dict[str, UserSocket] = {}
        self._by_user: dict[str, set[UserSocket]] = {}

    def __len__(self) -> int:
        return len(self._by_sid)

    @property
    def users(self) -> int:
        return len(self._by_user)

    def count(self, user_id: str) -> int:
        return len(self._by_user.get(user_id, ()))

    def get(self, sid: str) -> UserSocket | None:
        return self._by_sid.get(sid)

    def add(self, socket: UserSocket) -> None:
        self._by_sid[socket.sid] = socket
        self._by_user.setdefault(socket.claims.sub, set()).add(socket)

    def remove(self, sid: str) -> UserSocket | None:
        """The socket, which is closed by now; None if there is none of this sid."""
        socket = self._by_sid.pop(sid, None)
        if socket is not None:
            sockets = self._by_user[socket.claims.sub]
            sockets.discard(socket)
            if not sockets:
                del self._by_user[socket.claims.sub]
        return socket

    def close(self, user_id: str, reason: str, *, issued_before: datetime) -> None:
        """Disconnect the user's sockets whose newest token was issued before this time."""
        for socket in list(self._by_user.get(user_id, ())):
            if socket.claims.issued_before(issued_before):
                log.info("socket_closed sid=%s reason=%s", socket.sid, reason)
                socket.transport.disconnect(reason)

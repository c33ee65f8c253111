"""The registry of connected sockets: by user, counted, and closed by user."""

from datetime import UTC, datetime, timedelta

from auth.tokens import Claims
from push.user_sockets import UserSocket, UserSockets

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class RecordingTransport:
    """Ends its socket as an Engine.IO session does: the registry forgets it while it is being closed."""

    def __init__(self, sockets: UserSockets, sid: str) -> None:
        self.reasons: list[str] = []
        self._sockets, self._sid = sockets, sid

    def disconnect(self, reason: str) -> None:
        self.reasons.append(reason)
        self._sockets.remove(self._sid)


def connect(sockets: UserSockets, sid: str, user: str, issued_at: datetime | None) -> RecordingTransport:
    transport = RecordingTransport(sockets, sid)
    sockets.add(UserSocket(sid, Claims(user, frozenset(), NOON + timedelta(days=1), issued_at), transport))
    return transport


def test_closing_a_user_ends_the_sockets_of_older_tokens_and_no_other() -> None:
    sockets = UserSockets()
    old = [connect(sockets, f"old {n}", "bob", NOON - n * SECOND) for n in range(3)]
    undated = connect(sockets, "undated", "bob", None)
    new = connect(sockets, "new", "bob", NOON + SECOND)
    alice = connect(sockets, "alice's", "alice", NOON - SECOND)
    sockets.close("bob", "revoked", issued_before=NOON)
    assert [transport.reasons for transport in (*old, undated)] == [["revoked"]] * 4
    assert new.reasons == alice.reasons == []
    assert (len(sockets), sockets.count("bob"), sockets.users) == (2, 1, 2)


def test_a_renewed_token_keeps_its_socket() -> None:
    sockets = UserSockets()
    transport = connect(sockets, "a", "bob", NOON - SECOND)
    socket = sockets.get("a")
    assert socket is not None
    socket.claims = Claims("bob", frozenset(), NOON + timedelta(days=1), NOON + SECOND)
    sockets.close("bob", "revoked", issued_before=NOON)
    assert transport.reasons == []


def test_a_user_without_sockets_is_forgotten_and_closing_nobody_does_nothing() -> None:
    sockets = UserSockets()
    connect(sockets, "a", "bob", NOON)
    assert sockets.remove("a") is not None
    assert sockets.remove("a") is None
    assert (len(sockets), sockets.users, sockets.count("bob")) == (0, 0, 0)
    sockets.close("bob", "revoked", issued_before=NOON)

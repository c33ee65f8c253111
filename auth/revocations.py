"""The revoked users that a process knows of. A revocation refuses every token that its user was issued before it.

The database has the list. A process reads all of it at first and then what was added; a push server also receives new
revocations from the broker.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from auth.tokens import Claims

CLOCK_SKEW = timedelta(minutes=10)  # at most, between two processes that write revocations

# Reads the revocations of a time or later, or all of them for None. May block, and may raise anything.
ReadRevocations = Callable[[datetime | None], Mapping[str, datetime]]
OnRevoked = Callable[[str, datetime], object]


class RevocationList:
    """The time of each user's last revocation. Safe among threads if no two of them call `refresh` at once.

    `on_revoked` is called with each revocation that is new to this list.
    """

    def __init__(self, read: ReadRevocations, on_revoked: OnRevoked | None = None) -> None:
        self._read = read
        self._on_revoked = on_revoked
        self._revoked_before: dict[str, datetime] = {}
        self._read_until: datetime | None = None  # only of those read: one that was received may have predecessors

    def covers(self, claims: Claims) -> bool:
        """Whether the token with these claims is revoked."""
        revoked_before = self._revoked_before.get(claims.sub)
        return revoked_before is not None and claims.issued_before(revoked_before)

    def add(self, user_id: str, revoked_before: datetime) -> None:
        """Add a revocation. An older one than the user's last changes nothing."""
        last = self._revoked_before.get(user_id)
        if last is None or last < revoked_before:
            self._revoked_before[user_id] = revoked_before
            if self._on_revoked is not None:
                self._on_revoked(user_id, revoked_before)

    def refresh(self) -> None:
        """Read the revocations added since the last call. Raises what `read` raises; the list then stays as it was."""
        since = None if self._read_until is None else self._read_until - CLOCK_SKEW
        found = self._read(since)
        for user_id, revoked_before in found.items():
            self.add(user_id, revoked_before)
        self._read_until = max(found.values(), default=self._read_until)

    def __len__(self) -> int:
        return len(self._revoked_before)

"""Which tokens are revoked, as every process of the API learns it from the database, wherever it was said."""

import math
import threading
import time
from datetime import datetime, timedelta

from auth.tokens import Claims
from models.db.database import Database, DatabaseUnavailable
from models.revocations import all_revocations

LOOK_AFTER_SECONDS = 1.5  # one request in so long looks again; the others go by what is known
TRUST_SECONDS = 4.0  # what is known for longer nobody goes by: a revocation holds everywhere within five seconds
CLOCKS_APART = timedelta(minutes=10)  # by so much the clocks of two processes that revoke may differ


class RevokedTokens:
    """Reads the revocations when first asked, and from then on what is new. Safe among threads and greenlets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading = threading.Lock()
        self._read_at = self._failed_at = -math.inf
        self._revoked_before: dict[str, datetime] = {}
        self._latest: datetime | None = None

    def covers(self, claims: Claims) -> bool:
        """Whether this token is revoked. Raises `DatabaseUnavailable` when nobody could say for seconds."""
        self._keep_up()
        revoked_before = self._revoked_before.get(claims.sub)
        return revoked_before is not None and claims.issued_before(revoked_before)

    def _keep_up(self) -> None:
        if self._is_older_than(TRUST_SECONDS):
            self._read_before_going_on()
        elif self._is_older_than(LOOK_AFTER_SECONDS) and self._reading.acquire(blocking=False):
            try:
                self._read()
            except DatabaseUnavailable:
                pass  # what is known is good for a moment yet
            finally:
                self._reading.release()

    def _read_before_going_on(self) -> None:
        """One reads for all who wait, and fails for all."""
        asked = time.monotonic()
        with self._reading:
            if self._failed_at > asked:
                raise DatabaseUnavailable("it has just failed another")
            if self._is_older_than(TRUST_SECONDS):
                self._read()

    def _is_older_than(self, seconds: float) -> bool:
        return time.monotonic() - self._read_at > seconds

    def _read(self) -> None:
        begun = time.monotonic()
        try:
            self._read_what_is_new()
        except DatabaseUnavailable:
            self._failed_at = time.monotonic()
            raise
        self._read_at = begun

    def _read_what_is_new(self) -> None:
        since = None if self._latest is None else self._latest - CLOCKS_APART
        with self._database.glance() as session:
            found = all_revocations(session, since)
        self._revoked_before |= found
        self._latest = max(found.values(), default=self._latest)

"""The revoked users as an API process knows them: read from the database while requests come."""

import math
import threading
import time
from collections.abc import Mapping
from datetime import datetime

from auth.revocations import RevocationList
from auth.tokens import Claims
from models.db.database import Database, DatabaseUnavailable
from models.revocations import all_revocations

REFRESH_SECONDS = 1.5  # after so long one request refreshes the list; the others use it as it is
MAX_AGE_SECONDS = 4.0  # an older list is not used: a revocation takes effect everywhere within five seconds


class RevokedTokens:
    """Reads the revocations for the first request, and new ones from then on. Safe among threads and greenlets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._list = RevocationList(self._read)
        self._refreshing = threading.Lock()
        self._refreshed_at = self._failed_at = -math.inf

    def covers(self, claims: Claims) -> bool:
        """Whether this token is revoked. Raises `DatabaseUnavailable` when the list is too old to say."""
        if self._is_older_than(MAX_AGE_SECONDS):
            self._refresh_or_wait()
        elif self._is_older_than(REFRESH_SECONDS):
            self._try_to_refresh()
        return self._list.covers(claims)

    def _try_to_refresh(self) -> None:
        """Refresh, unless another request does so. After a failure the list is used until `MAX_AGE_SECONDS`."""
        if self._refreshing.acquire(blocking=False):
            try:
                self._refresh()
            except DatabaseUnavailable:
                pass
            finally:
                self._refreshing.release()

    def _refresh_or_wait(self) -> None:
        """One request refreshes for all that wait; its failure is theirs too."""
        asked_at = time.monotonic()
        with self._refreshing:
            if self._failed_at > asked_at:
                raise DatabaseUnavailable("a request that waited for the same query has failed")
            if self._is_older_than(MAX_AGE_SECONDS):
                self._refresh()

    def _is_older_than(self, seconds: float) -> bool:
        return time.monotonic() - self._refreshed_at > seconds

    def _refresh(self) -> None:
        started_at = time.monotonic()
        try:
            self._list.refresh()
        except DatabaseUnavailable:
            self._failed_at = time.monotonic()
            raise
        self._refreshed_at = started_at

    def _read(self, since: datetime | None) -> Mapping[str, datetime]:
        with self._database.autocommit() as conn:
            return all_revocations(conn, since)

"""Whose tokens are revoked, as far as this server knows: what it loaded, and what it has heard since."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NoReturn

import gevent
from gevent.event import Event

from auth.tokens import Claims
from telemetry.errors import describe

log = logging.getLogger(__name__)

# Reads the revocations made at a moment or later; all of them for None. It may raise anything, and may wait.
Load = Callable[[datetime | None], Mapping[str, datetime]]

LOAD_TIMEOUT = 10  # seconds
RETRY_SECONDS = 2
RELOAD_SECONDS = 30  # an announcement may be lost between two servers that both hear the broker
CLOCKS_APART = timedelta(minutes=10)  # by so much the clocks of two processes that revoke may differ


class Revoked:
    """Revocations by user. `revoke` is called with each that is new, to close what the user's old tokens opened."""

    def __init__(self, load: Load, revoke: Callable[[str, datetime], object]) -> None:
        self.loaded = False
        self._load, self._revoke = load, revoke
        self._revoked_before: dict[str, datetime] = {}
        self._latest: datetime | None = None  # of what was loaded: what was only heard may have predecessors
        self._wanted = Event()

    def covers(self, claims: Claims) -> bool:
        """Whether this token is revoked."""
        revoked_before = self._revoked_before.get(claims.sub)
        return revoked_before is not None and claims.issued_before(revoked_before)

    def hear(self, user_id: str, revoked_before: datetime) -> None:
        """Take one in; what is known already changes nothing."""
        known = self._revoked_before.get(user_id)
        if known is None or known < revoked_before:
            self._revoked_before[user_id] = revoked_before
            self._revoke(user_id, revoked_before)

    def reload(self) -> None:
        """Read again soon: some may have been missed."""
        self._wanted.set()

    def run(self) -> NoReturn:
        """Load, until it succeeds; then again whenever it is wanted, and now and then."""
        while True:
            try:
                self._read()
                self._wanted.wait(RELOAD_SECONDS)
            except Exception as error:
                log.warning("revocations_not_loaded retry_in=%d %s", RETRY_SECONDS, describe(error))
                gevent.sleep(RETRY_SECONDS)

    def _read(self) -> None:
        self._wanted.clear()
        since = None if self._latest is None else self._latest - CLOCKS_APART
        with gevent.Timeout(LOAD_TIMEOUT, TimeoutError):
            found = self._load(since)
        for user_id, revoked_before in found.items():
            self.hear(user_id, revoked_before)
        self._latest = max(found.values(), default=self._latest)
        if not self.loaded:
            self.loaded = True
            log.info("revocations_loaded users=%d", len(found))

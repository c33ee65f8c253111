"""Keeps a push server's list of revoked users up to date."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import gevent
from gevent.event import Event

from auth.revocations import ReadRevocations, RevocationList
from auth.tokens import Claims
from telemetry.errors import describe

log = logging.getLogger(__name__)

READ_TIMEOUT = 10  # seconds
RETRY_SECONDS = 2
REFRESH_SECONDS = 30  # a revocation may not have reached this server although the broker was connected


class RevocationMonitor:
    """Reads revocations from the database and receives those that are announced.

    `on_revoked` is called once with each new one, to close the sockets that the user's old tokens opened.
    """

    def __init__(self, read: ReadRevocations, on_revoked: Callable[[str, datetime], object]) -> None:
        self.loaded = False
        self._list = RevocationList(read, on_revoked)
        self._refresh_wanted = Event()

    def covers(self, claims: Claims) -> bool:
        """Whether the token with these claims is revoked."""
        return self._list.covers(claims)

    def receive(self, user_id: str, revoked_before: datetime) -> None:
        """Add an announced revocation."""
        self._list.add(user_id, revoked_before)

    def refresh_soon(self) -> None:
        """Read the database again: announcements may have been missed."""
        self._refresh_wanted.set()

    def run(self) -> NoReturn:
        """Read until it succeeds; from then on at each `refresh_soon` and every `REFRESH_SECONDS`."""
        while True:
            try:
                self._refresh()
                self._refresh_wanted.wait(REFRESH_SECONDS)
            except Exception as error:
                log.warning("revocations_not_loaded retry_in=%d %s", RETRY_SECONDS, describe(error))
                gevent.sleep(RETRY_SECONDS)

    def _refresh(self) -> None:
        self._refresh_wanted.clear()
        with gevent.Timeout(READ_TIMEOUT, TimeoutError):
            self._list.refresh()
        if not self.loaded:
            self.loaded = True
            log.info("revocations_loaded users=%d", len(self._list))

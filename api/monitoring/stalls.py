"""Looks every few seconds whether notifications are delivered in time, and reports in the log and /readyz if not.

It is the API's, and no task: it has to work while workers, beat or the way to them do not.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from models.db.database import Database, DatabaseUnavailable
from models.notifications.stalled import Stalled, stalled
from telemetry.errors import describe

LOOK_EVERY_SECONDS = 5.0
REPEAT_AFTER = timedelta(minutes=1)

log = logging.getLogger(__name__)


class StallMonitor:
    """`current` is the last finding: how much was overdue, if something was at two looks in a row, or None."""

    def __init__(self, database: Database, check_broker: Callable[[], None]) -> None:
        self.current: Stalled | None = None
        self._database = database
        self._check_broker = check_broker
        self._was_stalled = False
        self._said_at: datetime | None = None

    def start(self) -> None:
        """Look from now on, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="stalls", daemon=True).start()

    def look(self, now: datetime) -> None:
        found = self._ask(now)
        is_stalled = found is not None and found.count > 0
        self.current = found if is_stalled and self._was_stalled else None
        self._was_stalled = is_stalled
        if self.current is not None and (self._said_at is None or now - self._said_at >= REPEAT_AFTER):
            self._said_at = now
            self._say(self.current)

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            try:
                self.look(datetime.now(UTC))
            except Exception as error:  # the next look is another chance; without one nobody would be told
                log.error("stall_check_failed %s", describe(error))

    def _ask(self, now: datetime) -> Stalled | None:
        try:
            with self._database.glance() as session:
                return stalled(session, now)
        except DatabaseUnavailable:
            return None  # /readyz says so

    def _say(self, found: Stalled) -> None:
        log.error(
            "undelivered_stalled count=%d oldest_seconds=%d broker=%s Accepted notifications are overdue: "
            "see that beat and the workers run, reach the broker, and keep up with what comes",
            found.count,
            found.oldest_seconds,
            self._broker(),
        )

    def _broker(self) -> str:
        try:
            self._check_broker()
        except Exception as error:  # whatever the broker's client raises
            return type(error).__name__
        return "answers"

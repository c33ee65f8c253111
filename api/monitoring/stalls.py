"""Checks every few seconds for overdue notifications, and reports them in the log and at /readyz.

It runs in the API and not as a task, because it has to work while the workers, beat or the broker do not.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from models.db.database import Database, DatabaseUnavailable
from models.notifications.stalled import Stalled, stalled
from telemetry.errors import describe

CHECK_EVERY_SECONDS = 5.0
REPEAT_AFTER = timedelta(minutes=1)

log = logging.getLogger(__name__)


class StallMonitor:
    """`current` tells how much is overdue, once two checks in a row have found something; otherwise it is None."""

    def __init__(self, database: Database, check_broker: Callable[[], None]) -> None:
        self.current: Stalled | None = None
        self._database = database
        self._check_broker = check_broker
        self._was_stalled = False
        self._logged_at: datetime | None = None

    def start(self) -> None:
        """Check from now on, in a daemon thread."""
        threading.Thread(target=self._run, name="stalls", daemon=True).start()

    def check(self, now: datetime) -> None:
        found = self._query(now)
        is_stalled = found is not None and found.count > 0
        self.current = found if is_stalled and self._was_stalled else None
        self._was_stalled = is_stalled
        if self.current is not None and (self._logged_at is None or now - self._logged_at >= REPEAT_AFTER):
            self._logged_at = now
            self._log(self.current)

    def _run(self) -> None:
        while True:
            time.sleep(CHECK_EVERY_SECONDS)
            try:
                self.check(datetime.now(UTC))
            except Exception as error:  # so that the next check runs
                log.error("stall_check_failed %s", describe(error))

    def _query(self, now: datetime) -> Stalled | None:
        try:
            with self._database.autocommit() as conn:
                return stalled(conn, now)
        except DatabaseUnavailable:
            return None  # /readyz reports the database

    def _log(self, found: Stalled) -> None:
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
        except Exception as error:  # any error of the broker's client
            return type(error).__name__
        return "answers"

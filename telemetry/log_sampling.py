"""A rate limit for log events, so that clients cannot fill the log."""

import logging
import time
from collections.abc import Callable

MAX_LINES = 100  # of one event in a period
PERIOD = 10  # seconds
UNLIMITED = ("client_connected", "client_disconnected")  # a client needs a valid token to cause these


class SamplingFilter(logging.Filter):
    """Passes at most `MAX_LINES` lines of an event in a period; the next line says how many were suppressed.

    The event is the first word of the message.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._period_ends = 0.0
        self._seen: dict[str, int] = {}
        self._suppressed: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if self._clock() >= self._period_ends:
            self._start_period()
        event = str(record.msg).partition(" ")[0]
        self._seen[event] = seen = self._seen.get(event, 0) + 1
        if seen > MAX_LINES and event not in UNLIMITED:
            return False
        if suppressed := self._suppressed.pop(event, 0):
            record.msg = f"{record.msg} suppressed={suppressed}"
        return True

    def _start_period(self) -> None:
        self._period_ends = self._clock() + PERIOD
        for event, seen in self._seen.items():
            if seen > MAX_LINES and event not in UNLIMITED:
                self._suppressed[event] = self._suppressed.get(event, 0) + seen - MAX_LINES
        self._seen = {}

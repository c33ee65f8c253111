"""A log that strangers cannot fill: of what they bring about, so many lines of a kind in a while, and then a number."""

import logging
import time
from collections.abc import Callable

LINES = 100  # of one event
SECONDS = 10
ALWAYS = ("client_connected", "client_disconnected")  # these took a good token


class Sparing(logging.Filter):
    """For a handler: passes so many lines of an event; the first one of the next period says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._ends = 0.0
        self._seen: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if self._clock() >= self._ends:
            self._begin()
        event = str(record.msg).partition(" ")[0]
        self._seen[event] = seen = self._seen.get(event, 0) + 1
        if seen > LINES and event not in ALWAYS:
            return False
        if left_out := self._left_out.pop(event, 0):
            record.msg = f"{record.msg} left_out_before={left_out}"
        return True

    def _begin(self) -> None:
        self._ends = self._clock() + SECONDS
        for event, seen in self._seen.items():
            if seen > LINES and event not in ALWAYS:
                self._left_out[event] = self._left_out.get(event, 0) + seen - LINES
        self._seen = {}

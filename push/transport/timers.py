"""Things to do later: one heap and one greenlet for all of a server's clients, instead of a sleeping greenlet each."""

import heapq
import itertools
import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

from gevent.event import Event

from push.errors import describe

log = logging.getLogger(__name__)

GRAIN = 0.025  # seconds between two looks at what is due: thousands of clients' timers are so many wake-ups at most
COMPACT_ABOVE = 1000  # cancelled entries that are kept before the heap is cleaned of them


class Timer:
    """One call that is due later, unless it is cancelled."""

    __slots__ = ("_args", "_callback", "_timers")

    def __init__(self, timers: "Timers", callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self._timers = timers
        self._callback: Callable[..., object] | None = callback
        self._args = args

    @property
    def pending(self) -> bool:
        return self._callback is not None

    def cancel(self) -> None:
        if self._callback is not None:
            self._callback, self._args = None, ()
            self._timers.one_was_cancelled()

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(*self._args)


class Timers:
    """Calls, in order of time, what is due. What is called must not block; its errors are logged.

    Waiting is measured by the monotonic clock: when the time of day jumps, nothing fires early, late or all at once.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._changed = Event()

    def after(self, seconds: float, callback: Callable[..., object], *args: object) -> Timer:
        timer = Timer(self, callback, args)
        due = time.monotonic() + seconds
        if not self._heap or due < self._heap[0][0]:
            self._changed.set()
        heapq.heappush(self._heap, (due, next(self._order), timer))
        return timer

    def one_was_cancelled(self) -> None:
        self._cancelled += 1
        if self._cancelled > max(COMPACT_ABOVE, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def run(self) -> NoReturn:
        """Fire timers for as long as the process lives."""
        while True:
            self._changed.clear()
            self.fire_due()
            self._changed.wait(max(GRAIN, self._heap[0][0] - time.monotonic()) if self._heap else None)

    def fire_due(self) -> None:
        while self._heap and self._heap[0][0] <= time.monotonic():
            timer = heapq.heappop(self._heap)[2]
            try:
                if timer.pending:
                    timer.fire()
                else:
                    self._cancelled = max(0, self._cancelled - 1)
            except Exception as error:
                log.error("timer_failed %s", describe(error))

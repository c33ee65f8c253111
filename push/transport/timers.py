"""Timers of all clients: one heap and one greenlet.

gevent's own timers (`loop.timer`) are dearer, as each wakes the event loop by itself; this heap wakes it every
`RESOLUTION` at most. `python -m bench.timers` measures 10,000 idle sockets, each with a ping every 25 s and two timers
of its token:

                                      this heap    loop.timer    loop.timer, callback in a greenlet
    CPU, milliseconds a second           14            24                      44
    context switches a second            38           288                     266
    memory a socket, bytes            945-1,140      1,160                   1,165

Callbacks of `loop.timer` also run in gevent's hub, which must not switch greenlets; Socket.IO's handlers may, so they
would need the third form.
"""

import heapq
import itertools
import logging
import time
from collections.abc import Callable
from typing import Any, NoReturn

from gevent.event import Event

from telemetry.errors import describe

log = logging.getLogger(__name__)

RESOLUTION = 0.025  # seconds at least between two wake-ups, so that thousands of timers share them
COMPACT_ABOVE = 1000  # cancelled entries that the heap may hold before it is rebuilt


class Timer:
    """A call that is due later, unless it is cancelled."""

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
            self._timers.count_cancelled()

    def fire(self) -> None:
        callback, self._callback = self._callback, None
        if callback is not None:
            callback(*self._args)


class Timers:
    """Calls callbacks in the order of their times. A callback must not block; its exceptions are logged.

    Times are measured by the monotonic clock, so a step of the system clock fires nothing early or late.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0
        self._wake = Event()

    def after(self, seconds: float, callback: Callable[..., object], *args: object) -> Timer:
        timer = Timer(self, callback, args)
        due = time.monotonic() + seconds
        if not self._heap or due < self._heap[0][0]:
            self._wake.set()
        heapq.heappush(self._heap, (due, next(self._order), timer))
        return timer

    def count_cancelled(self) -> None:
        """Called by a timer that is cancelled; rebuilds the heap when most of it is cancelled."""
        self._cancelled += 1
        if self._cancelled > max(COMPACT_ABOVE, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].pending]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def run(self) -> NoReturn:
        """Fire timers for the life of the process."""
        while True:
            self._wake.clear()
            self.fire_due()
            self._wake.wait(max(RESOLUTION, self._heap[0][0] - time.monotonic()) if self._heap else None)

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

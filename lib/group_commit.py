"""Group commit: calls that come while one is under way share the next. No timer, and no thread of its own.

Whoever finds nobody at work leads: it runs its own call, and with it those of all who wait, and then appoints the first
of those who have come meanwhile. Works among threads, and among greenlets where these are made to look like threads.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Crowded(Exception):
    """As many wait already as may; nothing was done."""


class Forsaken(Exception):
    """Who ran this call was ended in the middle of it; whether it was done is unknown."""


class _Seat(Generic[T, R]):
    """One call that waits: until it is done, or until it is its turn to lead."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.outcome: R | Exception | None = None
        self.done = False
        self.leads = False
        self._gate = threading.Lock()
        self._gate.acquire()

    def wait(self) -> None:
        self._gate.acquire()

    def wake(self) -> None:
        self._gate.release()

    def settle(self, outcome: R | Exception) -> None:
        self.outcome, self.done = outcome, True


class Group(Generic[T, R]):
    """Runs many calls as one: `run` takes the items of all and answers one result for each, in order.

    A result that is an exception is raised to its own caller. When `run` itself fails, each item is run again alone, so
    that one cannot spoil the others'; but an error that `is_for_all` is everyone's, also theirs who wait.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        max_size: int,
        max_waiting: int,
        is_for_all: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        self._run = run
        self._max_size = max_size
        self._max_waiting = max_waiting
        self._is_for_all = is_for_all
        self._lock = threading.Lock()
        self._waiting: deque[_Seat[T, R]] = deque()
        self._is_led = False

    def do(self, item: T) -> R:
        """The result for this item. Raises its own error, or `Crowded`."""
        seat: _Seat[T, R] = _Seat(item)
        self._enter(seat)
        if not seat.leads:
            self._await(seat)
        if seat.leads:
            self._lead(seat)
        if isinstance(seat.outcome, Exception):
            raise seat.outcome
        return seat.outcome  # type: ignore[return-value]  # done, and no error

    def _enter(self, seat: _Seat[T, R]) -> None:
        with self._lock:
            if len(self._waiting) >= self._max_waiting:
                raise Crowded
            if self._is_led:
                self._waiting.append(seat)
            else:
                self._is_led = seat.leads = True

    def _await(self, seat: _Seat[T, R]) -> None:
        try:
            seat.wait()
        except BaseException:  # a greenlet may be ended where it waits
            self._leave(seat)
            raise

    def _leave(self, seat: _Seat[T, R]) -> None:
        with self._lock:
            if seat in self._waiting:
                self._waiting.remove(seat)
        if seat.leads:  # it has just been appointed
            self._appoint_next()

    def _lead(self, seat: _Seat[T, R]) -> None:
        with self._lock:
            others = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._max_size - 1))]
        together = [seat, *others]
        try:
            self._carry_out(together)
        except Exception as error:
            together += self._all_waiting()
            _settle_the_rest(together, error)
        finally:
            _settle_the_rest(together, Forsaken())
            for one in together[1:]:
                one.wake()
            self._appoint_next()

    def _carry_out(self, together: Sequence[_Seat[T, R]]) -> None:
        try:
            outcomes = self._run([seat.item for seat in together])
        except Exception as error:
            if self._is_for_all(error):
                raise
            if len(together) == 1:
                together[0].settle(error)
            else:
                for seat in together:
                    self._carry_out([seat])
        else:
            for seat, outcome in zip(together, outcomes, strict=True):
                seat.settle(outcome)

    def _all_waiting(self) -> list[_Seat[T, R]]:
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
            return waiting

    def _appoint_next(self) -> None:
        with self._lock:
            following = self._waiting.popleft() if self._waiting else None
            self._is_led = following is not None
            if following is None:
                return
            following.leads = True
        following.wake()


def _settle_the_rest(seats: Sequence[_Seat[T, R]], error: Exception) -> None:
    for seat in seats:
        if not seat.done:
            seat.settle(error)

"""Group commit: calls that arrive while a batch runs share the next batch. It needs no timer and no thread.

    time   caller A           caller B               caller C          caller D
      |    do(a)
      |    leader: run([a])   do(b): queued
      |      :                  :                    do(c): queued
      |    elects B           leader: run([b, c])      :
      |    returns a's          :                      :               do(d): queued
      |                         :                      :                 :
      |                       wakes C                returns c's         :
      |                       elects D                                 leader: run([d])
      |                       returns b's                                :
      v                                                                returns d's

A caller that finds no leader becomes the leader. It runs its own item together with all that are queued, wakes their
callers, and elects the first caller that was queued meanwhile. At low load a batch is one call, and no call waits.

Works among threads, and among greenlets if gevent has patched `threading`.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class QueueFull(Exception):
    """The queue of pending calls is full. The call was not run."""


class Abandoned(Exception):
    """The leader was killed while it ran this call. Whether the call took effect is unknown."""


class _PendingCall(Generic[T, R]):
    """One call: its item, later its outcome, and a lock that its caller waits on."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.outcome: R | Exception | None = None
        self.done = False
        self.is_leader = False
        self._wakeup = threading.Lock()
        self._wakeup.acquire()

    def wait(self) -> None:
        """Return when the call is done or elected leader."""
        self._wakeup.acquire()

    def wake(self) -> None:
        self._wakeup.release()

    def finish(self, outcome: R | Exception) -> None:
        self.outcome, self.done = outcome, True


class GroupCommit(Generic[T, R]):
    """Runs concurrent calls in batches: `run` takes the items of a batch and returns one result for each, in order.

    A result that is an exception is raised to its own caller only. If `run` itself raises, each item is run again in a
    batch of its own, so that one bad item does not fail the others. If `is_outage` is true for that error, every call
    of the batch and every queued call fails with it instead, and nothing is run again.
    """

    def __init__(
        self,
        run: Callable[[Sequence[T]], Sequence[R | Exception]],
        *,
        max_size: int,
        max_waiting: int,
        is_outage: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        """`max_size`: items in a batch. `max_waiting`: queued calls, beyond which `do` raises `QueueFull`."""
        self._run = run
        self._max_size = max_size
        self._max_waiting = max_waiting
        self._is_outage = is_outage
        self._lock = threading.Lock()
        self._queue: deque[_PendingCall[T, R]] = deque()
        self._has_leader = False

    def do(self, item: T) -> R:
        """Return the result for this item. Raises its own error, `QueueFull` or `Abandoned`."""
        call: _PendingCall[T, R] = _PendingCall(item)
        self._enqueue(call)
        if not call.is_leader:
            self._wait(call)
        if call.is_leader:
            self._lead(call)
        if isinstance(call.outcome, Exception):
            raise call.outcome
        return call.outcome  # type: ignore[return-value]  # done, and no error

    def _enqueue(self, call: _PendingCall[T, R]) -> None:
        with self._lock:
            if len(self._queue) >= self._max_waiting:
                raise QueueFull
            if self._has_leader:
                self._queue.append(call)
            else:
                self._has_leader = call.is_leader = True

    def _wait(self, call: _PendingCall[T, R]) -> None:
        try:
            call.wait()
        except BaseException:  # a greenlet can be killed while it waits
            self._cancel(call)
            raise

    def _cancel(self, call: _PendingCall[T, R]) -> None:
        with self._lock:
            if call in self._queue:
                self._queue.remove(call)
        if call.is_leader:  # it was elected just before it was killed
            self._elect_next()

    def _lead(self, call: _PendingCall[T, R]) -> None:
        with self._lock:
            others = [self._queue.popleft() for _ in range(min(len(self._queue), self._max_size - 1))]
        batch = [call, *others]
        try:
            self._run_batch(batch)
        except Exception as outage:
            batch += self._take_queue()
            _finish_rest(batch, outage)
        finally:
            _finish_rest(batch, Abandoned())
            for other in batch[1:]:
                other.wake()
            self._elect_next()

    def _run_batch(self, batch: Sequence[_PendingCall[T, R]]) -> None:
        try:
            outcomes = self._run([call.item for call in batch])
        except Exception as error:
            if self._is_outage(error):
                raise
            if len(batch) == 1:
                batch[0].finish(error)
            else:
                for call in batch:
                    self._run_batch([call])
        else:
            for call, outcome in zip(batch, outcomes, strict=True):
                call.finish(outcome)

    def _take_queue(self) -> list[_PendingCall[T, R]]:
        with self._lock:
            queued = list(self._queue)
            self._queue.clear()
            return queued

    def _elect_next(self) -> None:
        with self._lock:
            following = self._queue.popleft() if self._queue else None
            self._has_leader = following is not None
            if following is None:
                return
            following.is_leader = True
        following.wake()


def _finish_rest(calls: Sequence[_PendingCall[T, R]], error: Exception) -> None:
    """Give this error to the calls that have no outcome yet."""
    for call in calls:
        if not call.done:
            call.finish(error)

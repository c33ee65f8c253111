"""Group commit: concurrent calls share a batch, and each caller gets its own result or error."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lib.group_commit import Abandoned, GroupCommit, QueueFull
from models.db.database import DatabaseUnavailable, Locked, is_away
from tests.support import wait_for


class Doubler:
    """Doubles numbers in batches; the first batch blocks until `go` is set."""

    def __init__(self, max_size: int = 100, max_waiting: int = 100) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.group: GroupCommit[int, int] = GroupCommit(
            self.run, max_size=max_size, max_waiting=max_waiting, is_outage=is_away
        )
        self.pool = ThreadPoolExecutor(40)

    def run(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        if len(self.batches) == 1:
            assert self.go.wait(20)
        return self.results(numbers)

    def results(self, numbers: Sequence[int]) -> list[int | Exception]:
        return [2 * number for number in numbers]

    def submit(self, *numbers: int) -> list[Future[int]]:
        """Call from one thread each, in this order: the first caller leads, the others are queued behind it."""
        futures = []
        for place, number in enumerate(numbers):
            futures.append(self.pool.submit(self.group.do, number))
            if place == 0 and not self.batches:
                wait_for(lambda: self.batches, what="the first caller to lead")
            else:
                queued = place if self.batches else place + 1
                wait_for(lambda least=queued: len(self.group._queue) >= least, what="the others to be queued")  # type: ignore[misc]
        return futures


def test_calls_that_arrive_during_a_batch_share_the_next_in_order_of_arrival() -> None:
    doubler = Doubler()
    futures = doubler.submit(*range(10))
    doubler.go.set()
    assert [future.result(20) for future in futures] == [2 * n for n in range(10)]
    assert doubler.batches == [[0], list(range(1, 10))]


def test_a_single_call_does_not_wait() -> None:
    doubler = Doubler()
    doubler.go.set()
    assert [doubler.group.do(n) for n in range(3)] == [0, 2, 4]
    assert doubler.batches == [[0], [1], [2]]


def test_a_batch_has_at_most_max_size_items_and_no_call_is_lost() -> None:
    doubler = Doubler(max_size=4)
    futures = doubler.submit(*range(10))
    doubler.go.set()
    assert [future.result(20) for future in futures] == [2 * n for n in range(10)]
    assert [len(batch) for batch in doubler.batches] == [1, 4, 4, 1]


def test_a_call_beyond_max_waiting_is_refused_at_once() -> None:
    doubler = Doubler(max_waiting=3)
    futures = doubler.submit(*range(4))
    with pytest.raises(QueueFull):
        doubler.group.do(99)
    doubler.go.set()
    assert [future.result(20) for future in futures] == [0, 2, 4, 6]
    assert doubler.group.do(5) == 10


class FailingDoubler(Doubler):
    """Returns an error for 13; raises for the whole batch at 7 (a bug), 0 (database unavailable) and 5 (locked row)."""

    def results(self, numbers: Sequence[int]) -> list[int | Exception]:
        if 0 in numbers:
            raise DatabaseUnavailable("gone")
        if 7 in numbers:
            raise ZeroDivisionError
        if 5 in numbers:
            raise Locked("locked")
        return [ValueError("no") if number == 13 else 2 * number for number in numbers]


def test_an_error_of_one_item_is_raised_to_its_caller_only() -> None:
    doubler = FailingDoubler()
    futures = doubler.submit(1, 2, 13, 7, 3, 5, 4)
    doubler.go.set()
    assert [future.result(20) for future in (futures[0], futures[1], futures[4], futures[6])] == [2, 4, 6, 8]
    with pytest.raises(Locked):
        futures[5].result(20)
    with pytest.raises(ValueError, match="no"):
        futures[2].result(20)
    with pytest.raises(ZeroDivisionError):
        futures[3].result(20)


def test_an_outage_fails_all_queued_calls_without_running_them() -> None:
    doubler = FailingDoubler(max_size=2)
    futures = doubler.submit(0, 1, 2, 3, 4)
    doubler.go.set()
    for future in futures:
        with pytest.raises(DatabaseUnavailable):
            future.result(20)
    assert doubler.batches == [[0]]
    assert doubler.group.do(6) == 12


class DyingDoubler(Doubler):
    """The leader's thread ends while it runs 7."""

    def results(self, numbers: Sequence[int]) -> list[int | Exception]:
        if 7 in numbers:
            raise SystemExit
        return super().results(numbers)


def test_the_batch_of_a_killed_leader_is_abandoned_and_the_next_caller_leads() -> None:
    doubler = DyingDoubler(max_size=2)
    futures = doubler.submit(1, 7, 2, 3, 4)
    doubler.go.set()
    assert futures[0].result(20) == 2
    with pytest.raises(SystemExit):
        futures[1].result(20)
    with pytest.raises(Abandoned):
        futures[2].result(20)
    assert [future.result(20) for future in futures[3:]] == [6, 8]


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent
from lib.group_commit import GroupCommit
def run(items):
    gevent.sleep(0.01)
    return [2 * item for item in items]
group = GroupCommit(run, max_size=5, max_waiting=1000)
callers = [gevent.spawn(group.do, n) for n in range(100)]
for turn in range(10):
    gevent.sleep(0.003)
    gevent.killall(callers[turn::20], block=False)
gevent.joinall(callers, timeout=20)
survivors = [n for n in range(100) if n % 20 >= 10]
assert all(caller.ready() for caller in callers), "a caller waits for ever"
def outcome_of(caller):
    return caller.value if caller.exception is None else type(caller.exception).__name__
outcomes = [outcome_of(callers[n]) for n in survivors]
assert all(outcome in (2 * n, "Abandoned") for n, outcome in zip(survivors, outcomes)), outcomes
assert outcomes.count("Abandoned") < 45 and group.do(4) == 8
"""


def test_greenlets_killed_as_leader_or_in_the_queue_block_no_other_caller() -> None:
    subprocess.run([sys.executable, "-c", GREENLETS], check=True, timeout=60)

"""A circuit breaker: it opens at a failure, lets calls through again after a while, and closes at a success."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from lib.circuit_breaker import CircuitBreaker

RESET_TIMEOUT = 5.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[False, True], ids=["all-probe", "single-probe"])
def breaker(request: pytest.FixtureRequest, clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(RESET_TIMEOUT, single_probe=request.param, clock=clock)


def test_a_closed_circuit_allows_every_call(breaker: CircuitBreaker) -> None:
    assert [breaker.allow() for _ in range(3)] == [True] * 3


def test_a_failure_opens_the_circuit_for_the_reset_timeout(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record_failure()
    assert not breaker.allow()
    clock.now += RESET_TIMEOUT - 0.001
    assert not breaker.allow()
    clock.now += 0.001
    assert breaker.allow()


def test_each_failure_starts_the_reset_timeout_again(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record_failure()
    clock.now += RESET_TIMEOUT / 2
    breaker.record_failure()  # of a call that was allowed before the first failure
    clock.now += RESET_TIMEOUT / 2
    assert not breaker.allow()
    clock.now += RESET_TIMEOUT / 2
    assert breaker.allow()


def test_a_failed_probe_opens_the_circuit_again(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record_failure()
    clock.now += RESET_TIMEOUT
    assert breaker.allow()
    breaker.record_failure()
    assert not breaker.allow()


def test_a_successful_probe_closes_the_circuit(breaker: CircuitBreaker, clock: Clock) -> None:
    breaker.record_failure()
    clock.now += RESET_TIMEOUT
    assert breaker.allow()
    breaker.record_success()
    assert [breaker.allow() for _ in range(3)] == [True] * 3


def test_a_success_closes_an_open_circuit(breaker: CircuitBreaker) -> None:
    breaker.record_failure()
    breaker.record_success()  # of a call that was allowed before the failure
    assert breaker.allow()


def test_a_half_open_circuit_allows_every_call(clock: Clock) -> None:
    breaker = CircuitBreaker(RESET_TIMEOUT, clock=clock)
    breaker.record_failure()
    clock.now += RESET_TIMEOUT
    assert [breaker.allow() for _ in range(3)] == [True] * 3


def test_a_half_open_circuit_with_a_single_probe_allows_one_call_in_each_reset_timeout(clock: Clock) -> None:
    breaker = CircuitBreaker(RESET_TIMEOUT, single_probe=True, clock=clock)
    breaker.record_failure()
    for _ in range(2):  # the first probe's outcome is never recorded
        clock.now += RESET_TIMEOUT
        assert [breaker.allow() for _ in range(3)] == [True, False, False]


def test_an_outage_is_reported_once_when_it_begins_and_once_when_it_ends(breaker: CircuitBreaker, clock: Clock) -> None:
    assert not breaker.record_success()
    assert breaker.record_failure()
    assert not breaker.record_failure()
    clock.now += RESET_TIMEOUT
    assert breaker.allow()
    assert not breaker.record_failure()
    assert breaker.record_success()
    assert not breaker.record_success()
    assert breaker.record_failure()


class RacingClock(Clock):
    """Once `race` is set, the first thread that reads it waits there for a second one, for a moment."""

    def __init__(self) -> None:
        super().__init__()
        self.race: threading.Barrier | None = None

    def __call__(self) -> float:
        if self.race is not None:
            with suppress(threading.BrokenBarrierError):
                self.race.wait(0.2)
        return super().__call__()


def in_two_threads(function: Callable[[], bool], clock: RacingClock) -> list[bool]:
    clock.race = threading.Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        results = sorted(future.result(20) for future in [pool.submit(function) for _ in range(2)])
    clock.race = None
    return results


def test_of_two_threads_one_is_the_probe() -> None:
    clock = RacingClock()
    breaker = CircuitBreaker(RESET_TIMEOUT, single_probe=True, clock=clock)
    breaker.record_failure()
    clock.now += RESET_TIMEOUT
    assert in_two_threads(breaker.allow, clock) == [False, True]


def test_of_two_threads_that_fail_together_one_reports_the_outage() -> None:
    clock = RacingClock()
    breaker = CircuitBreaker(RESET_TIMEOUT, clock=clock)
    assert in_two_threads(breaker.record_failure, clock) == [False, True]

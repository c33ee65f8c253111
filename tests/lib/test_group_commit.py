"""Calls that come while one is under way share the next, and each hears of its own fate alone."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from lib.group_commit import Crowded, Forsaken, Group
from models.database import DatabaseUnavailable, Locked, is_away
from tests.support import wait_for


class Desk:
    """Doubles numbers; its first call lasts until `go` is set."""

    def __init__(self, max_size: int = 100, max_waiting: int = 100) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.group: Group[int, int] = Group(self.run, max_size=max_size, max_waiting=max_waiting, is_for_all=is_away)
        self.pool = ThreadPoolExecutor(40)

    def run(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        if len(self.batches) == 1:
            assert self.go.wait(20)
        return self.answers(numbers)

    def answers(self, numbers: Sequence[int]) -> list[int | Exception]:
        return [2 * number for number in numbers]

    def ask(self, *numbers: int) -> list[Future[int]]:
        """Ask from a thread each, one after the other: the first leads, the others wait behind it."""
        asked = []
        for place, number in enumerate(numbers):
            asked.append(self.pool.submit(self.group.do, number))
            if place == 0 and not self.batches:
                wait_for(lambda: self.batches, what="the first to lead")
            else:
                waiting = place if self.batches else place + 1
                wait_for(lambda least=waiting: len(self.group._waiting) >= least, what="the others to wait")  # type: ignore[misc]
        return asked


def test_what_comes_meanwhile_is_done_together_in_the_order_it_came() -> None:
    desk = Desk()
    asked = desk.ask(*range(10))
    desk.go.set()
    assert [one.result(20) for one in asked] == [2 * n for n in range(10)]
    assert desk.batches == [[0], list(range(1, 10))]


def test_a_call_alone_waits_for_nothing() -> None:
    desk = Desk()
    desk.go.set()
    assert [desk.group.do(n) for n in range(3)] == [0, 2, 4]
    assert desk.batches == [[0], [1], [2]]


def test_no_more_are_done_together_than_may_and_none_is_forgotten() -> None:
    desk = Desk(max_size=4)
    asked = desk.ask(*range(10))
    desk.go.set()
    assert [one.result(20) for one in asked] == [2 * n for n in range(10)]
    assert [len(batch) for batch in desk.batches] == [1, 4, 4, 1]


def test_who_comes_when_too_many_wait_is_told_at_once() -> None:
    desk = Desk(max_waiting=3)
    asked = desk.ask(*range(4))
    with pytest.raises(Crowded):
        desk.group.do(99)
    desk.go.set()
    assert [one.result(20) for one in asked] == [0, 2, 4, 6]
    assert desk.group.do(5) == 10


class Refusing(Desk):
    """Refuses 13 in its answer; breaks at 7, whoever is beside it; the database is gone at 0, a row is held at 5."""

    def answers(self, numbers: Sequence[int]) -> list[int | Exception]:
        if 0 in numbers:
            raise DatabaseUnavailable("gone")
        if 7 in numbers:
            raise ZeroDivisionError
        if 5 in numbers:
            raise Locked("held")
        return [ValueError("no") if number == 13 else 2 * number for number in numbers]


def test_what_is_wrong_with_one_is_told_to_it_alone() -> None:
    desk = Refusing()
    asked = desk.ask(1, 2, 13, 7, 3, 5, 4)
    desk.go.set()
    assert [one.result(20) for one in (asked[0], asked[1], asked[4], asked[6])] == [2, 4, 6, 8]
    with pytest.raises(Locked):
        asked[5].result(20)
    with pytest.raises(ValueError, match="no"):
        asked[2].result(20)
    with pytest.raises(ZeroDivisionError):
        asked[3].result(20)


def test_without_the_database_nobody_waits_for_a_turn_of_their_own() -> None:
    desk = Refusing(max_size=2)
    asked = desk.ask(0, 1, 2, 3, 4)
    desk.go.set()
    for one in asked:
        with pytest.raises(DatabaseUnavailable):
            one.result(20)
    assert desk.batches == [[0]]
    assert desk.group.do(6) == 12


class Mortal(Desk):
    """Whoever runs 7 is ended in the middle of it."""

    def answers(self, numbers: Sequence[int]) -> list[int | Exception]:
        if 7 in numbers:
            raise SystemExit
        return super().answers(numbers)


def test_who_waits_for_a_leader_that_ends_hears_of_it_and_the_next_leads() -> None:
    desk = Mortal(max_size=2)
    asked = desk.ask(1, 7, 2, 3, 4)
    desk.go.set()
    assert asked[0].result(20) == 2
    with pytest.raises(SystemExit):
        asked[1].result(20)
    with pytest.raises(Forsaken):
        asked[2].result(20)
    assert [one.result(20) for one in asked[3:]] == [6, 8]


GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent
from lib.group_commit import Group
def run(items):
    gevent.sleep(0.01)
    return [2 * item for item in items]
group = Group(run, max_size=5, max_waiting=1000)
asked = [gevent.spawn(group.do, n) for n in range(100)]
for turn in range(10):
    gevent.sleep(0.003)
    gevent.killall(asked[turn::20], block=False)
gevent.joinall(asked, timeout=20)
left = [n for n in range(100) if n % 20 >= 10]
assert all(one.ready() for one in asked), "somebody waits for ever"
outcomes = [asked[n].value if asked[n].exception is None else type(asked[n].exception).__name__ for n in left]
assert all(outcome in (2 * n, "Forsaken") for n, outcome in zip(left, outcomes)), outcomes
assert outcomes.count("Forsaken") < 45 and group.do(4) == 8
"""


def test_greenlets_that_are_killed_as_they_lead_or_wait_hold_up_nobody() -> None:
    subprocess.run([sys.executable, "-c", GREENLETS], check=True, timeout=60)

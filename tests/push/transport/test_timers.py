"""Timers fire once, in the order of their times, and not after they were cancelled."""

import os
import time

import gevent
import pytest

from push.transport import timers
from push.transport.timers import Timers

Fired = list[object]


def fire_all(pending: Timers, seconds: float = 1) -> None:
    with gevent.Timeout(seconds, False):
        pending.run()


def test_timers_fire_in_the_order_of_their_times() -> None:
    pending, fired = Timers(), Fired()
    for delay in (0.03, 0.01, 0.02, 0.0):
        pending.after(delay, fired.append, delay)
    fire_all(pending, 0.2)
    assert fired == [0.0, 0.01, 0.02, 0.03]


def test_an_earlier_timer_that_is_added_while_the_loop_waits_fires_first() -> None:
    pending, fired = Timers(), Fired()
    pending.after(10, fired.append, "late")
    loop = gevent.spawn(pending.run)
    gevent.sleep(0)
    pending.after(0.01, fired.append, "early")
    with gevent.Timeout(2):
        while not fired:
            gevent.sleep(0.01)
    loop.kill()
    assert fired == ["early"]


def test_a_cancelled_timer_does_not_fire() -> None:
    pending, fired = Timers(), Fired()
    pending.after(0, fired.append, "cancelled").cancel()
    pending.after(0, fired.append, "kept")
    fire_all(pending, 0.1)
    assert fired == ["kept"]


def test_one_that_fails_is_logged_and_the_others_fire(caplog: pytest.LogCaptureFixture) -> None:
    pending, fired = Timers(), Fired()
    pending.after(0, lambda: os.environ["SECRET"])
    pending.after(0.01, fired.append, "next")
    fire_all(pending, 0.1)
    assert fired == ["next"]
    assert "timer_failed error=KeyError" in caplog.text
    assert "SECRET" not in caplog.text


def test_many_that_are_due_one_after_the_other_wake_the_loop_a_few_times() -> None:
    pending, fired, looks = Timers(), Fired(), []
    fire_due = pending.fire_due
    pending.fire_due = lambda: (looks.append(1), fire_due())[1]  # type: ignore[method-assign,func-returns-value]
    for number in range(1000):
        pending.after(0.1 + number / 10_000, fired.append, number)
    fire_all(pending, 1)
    assert fired == list(range(1000))
    assert len(looks) < 20


def test_cancelled_timers_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "COMPACT_ABOVE", 10)
    pending, fired = Timers(), Fired()
    pending.after(0.05, fired.append, "kept")
    for _ in range(10_000):
        pending.after(3600, fired.append, "cancelled").cancel()
    assert len(pending._heap) < 100
    fire_all(pending, 0.2)
    assert fired == ["kept"]


def test_a_jump_of_the_clock_fires_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pending, fired = Timers(), Fired()
    pending.after(3600, fired.append, "later")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 7200)
    fire_all(pending, 0.1)
    assert fired == []

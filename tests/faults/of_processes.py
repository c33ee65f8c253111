"""Processes that die: at once, between two lines, or in good order."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from models.failpoints import ACCEPTED, ANNOUNCED, DELIVERED, ENQUEUED
from ops.processes import wait_for
from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import Broken, fault

DEATH_SECONDS = 20.0  # by then somebody has posted something
GIVEN_BACK_SECONDS = 20.0  # in which the next worker does what a dead one had begun; it takes one, on a quiet machine
UNDELIVERED = "SELECT id FROM notifications WHERE delivered_at IS NULL AND cancelled_at IS NULL"
AT_WORK = """
SELECT 1 FROM pg_stat_activity WHERE application_name = 'belfry' AND wait_event_type = 'Lock'
AND query LIKE '%%inbox_items%%'
"""


@fault(short=1, full=5)
def worker_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house["worker"].kill()
    yield
    house["worker"].start()


@fault(short=0, full=0)
def worker_killed_in_its_work(house: House, crowd: Crowd) -> Iterator[None]:
    with house.without("beat"):
        with _one_at_work(house):
            house["worker"].kill()
        house["worker"].start()
        _demand_that_it_is_given_back(house)
        yield


@fault(short=0, full=0)
def child_of_a_worker_killed(house: House, crowd: Crowd) -> Iterator[None]:
    """Our workers have threads, and no children: this is one that somebody runs with Celery's own kind of pool."""
    with house.without("beat"), house.instead("worker", "--pool=processes", "--concurrency=2") as worker:
        children = wait_for(lambda: worker.family()[1:], DEATH_SECONDS, "its pool to have children")
        with _one_at_work(house):
            for child in children:
                os.kill(child, signal.SIGKILL)
        _demand_that_it_is_given_back(house)
        yield


@contextmanager
def _one_at_work(house: House) -> Iterator[None]:
    """Someone delivers and has not committed, as all inboxes are held; it gives up a moment after it died in here."""
    with psycopg.connect(house.postgresql.url) as holder:
        holder.execute("SELECT 1 FROM inboxes FOR UPDATE")
        wait_for(lambda: house.query(AT_WORK), DEATH_SECONDS, "one to be at work")
        yield
        wait_for(lambda: not house.query(AT_WORK), DEATH_SECONDS, "it to have given up")


def _demand_that_it_is_given_back(house: House) -> None:
    """What a dead one had begun the broker gives to the next at once: this is without the relay."""
    begun = set(house.query(UNDELIVERED))
    try:
        wait_for(lambda: begun.isdisjoint(house.query(UNDELIVERED)), GIVEN_BACK_SECONDS)
    except TimeoutError:
        raise Broken("what a dead worker had begun is left to the relay") from None


@fault(short=1, full=5)
def push_server_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house["push"].kill()
    yield
    house["push"].start()


@fault(short=1, full=5)
def api_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house["api"].kill()
    yield
    house["api"].start()


@fault(short=1, full=10)
def beat_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house["beat"].kill()
    yield
    house["beat"].start()


@fault(short=0, full=3)
def worker_killed_between_commit_and_announcement(house: House, crowd: Crowd) -> Iterator[None]:
    with house.instead("worker", FAILPOINT=DELIVERED, DEVELOPMENT="yes") as worker:
        wait_for(lambda: not worker.running, DEATH_SECONDS, "the worker to die")
        yield


@fault(short=0, full=3)
def worker_killed_between_announcement_and_ack(house: House, crowd: Crowd) -> Iterator[None]:
    with house.instead("worker", FAILPOINT=ANNOUNCED, DEVELOPMENT="yes") as worker:
        wait_for(lambda: not worker.running, DEATH_SECONDS, "the worker to die")
        yield


@fault(short=2, full=5)
def api_killed_between_commit_and_enqueue(house: House, crowd: Crowd) -> Iterator[None]:
    with house.instead("api", FAILPOINT=ACCEPTED, DEVELOPMENT="yes"):
        yield  # whatever posts, dies; its parent starts the next one


@fault(short=2, full=5)
def api_killed_before_its_answer(house: House, crowd: Crowd) -> Iterator[None]:
    with house.instead("api", FAILPOINT=ENQUEUED, DEVELOPMENT="yes"):
        yield


@fault(short=0, full=2)
def all_restarted_one_after_the_other(house: House, crowd: Crowd) -> Iterator[None]:
    for process in house.stack.processes.values():
        process.stop()
        process.start()
    yield

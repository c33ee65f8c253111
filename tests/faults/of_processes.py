"""Processes that are killed, die between two lines, or are stopped in good order."""

import os
import signal
from collections.abc import Iterator

from dev.processes import StartFailed, wait_for
from lib.failpoints import ACCEPTED, ANNOUNCED, DELIVERED, ENQUEUED
from tests.faults.held_up import held_up
from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import Broken, fault

DEATH_SECONDS = 20.0  # by then something was posted
GIVEN_BACK_SECONDS = 20.0  # in which the next worker does the tasks of a dead one; it takes one on an idle machine
DELIVERED_ALREADY = "SELECT 1 FROM notifications WHERE id = %s AND delivered_at IS NOT NULL"


@fault(short=1, full=5)
def worker_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house["worker"].kill()
    yield
    house["worker"].start()


@fault(short=1, full=5)
def worker_killed_in_its_work(house: House, crowd: Crowd) -> Iterator[None]:
    with house.without("beat"):
        with held_up(house, crowd) as id_:
            yield  # a worker that acknowledges early would have done so by now
            house["worker"].kill()
        house["worker"].start()
        _demand_that_it_is_given_back(house, id_)


@fault(short=1, full=5)
def child_of_a_worker_killed_in_its_work(house: House, crowd: Crowd) -> Iterator[None]:
    """Belfry's workers use threads and have no children. This one runs with Celery's prefork pool."""
    with house.without("beat"), house.instead("worker", "--pool=processes", "--concurrency=2") as worker:
        with held_up(house, crowd) as id_:
            yield
            for child in worker.process_tree()[1:]:
                os.kill(child, signal.SIGKILL)
        _demand_that_it_is_given_back(house, id_)


def _demand_that_it_is_given_back(house: House, id_: str) -> None:
    """The broker gives the tasks of a dead worker to the next one at once, without the relay."""
    try:
        wait_for(lambda: house.query(DELIVERED_ALREADY, id_), GIVEN_BACK_SECONDS)
    except TimeoutError:
        raise Broken("what a dead worker had in hand is left to the relay") from None


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
    yield from _worker_dies_at(house, DELIVERED)


@fault(short=0, full=3)
def worker_killed_between_announcement_and_ack(house: House, crowd: Crowd) -> Iterator[None]:
    yield from _worker_dies_at(house, ANNOUNCED)


def _worker_dies_at(house: House, failpoint: str) -> Iterator[None]:
    """If a task is waiting, the worker may die before it is ready."""
    with house.without("worker"):
        worker = house.stack.process("worker", {"FAILPOINT": failpoint, "DEVELOPMENT": "yes"})
        try:
            worker.start()
            wait_for(lambda: not worker.running, DEATH_SECONDS, "the worker to die")
        except StartFailed as failure:
            if "ended during its start" not in str(failure):
                raise
        finally:
            exit_code = worker.stop()
        if exit_code != -signal.SIGKILL:
            raise Broken(f"the worker ended with {exit_code}, and not at its failpoint")
        yield


@fault(short=2, full=5)
def api_killed_between_commit_and_enqueue(house: House, crowd: Crowd) -> Iterator[None]:
    with house.instead("api", FAILPOINT=ACCEPTED, DEVELOPMENT="yes"):
        yield  # every process that posts dies; its parent starts the next one


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

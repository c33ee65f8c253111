"""Processes that die: at once, between two lines, or in good order.

A worker's tasks run in threads: it has no children that could be killed apart from it.
"""

from collections.abc import Iterator

from models.failpoints import ACCEPTED, ANNOUNCED, DELIVERED, ENQUEUED
from ops.processes import wait_for
from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import fault

DEATH_SECONDS = 20.0  # by then somebody has posted something


@fault(short=1, full=5)
def worker_killed(house: House, crowd: Crowd) -> Iterator[None]:
    house["worker"].kill()
    yield
    house["worker"].start()


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

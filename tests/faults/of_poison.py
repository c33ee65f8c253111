"""Notifications that cannot be delivered, or that kill their worker. They are parked, and all others pass them."""

import subprocess
import sys
import time
from collections.abc import Iterator

from kombu import Connection

from dev.processes import wait_for
from dev.stack import ROOT
from models.retries.parked import ATTEMPTS, DIED
from tests.faults.held_up import held_up, in_hand, let_go
from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import Broken, fault
from workers.queues import DELIVER, DELIVERIES_QUEUE, make_celery

HASTEN = """
UPDATE notifications SET enqueue_at = now() WHERE id IN (
    SELECT id FROM notifications WHERE parked_at IS NULL AND attempts > enqueued FOR UPDATE SKIP LOCKED
)
"""
PARKED = "SELECT last_error FROM notifications WHERE parked_at IS NOT NULL"
BLAMED = "SELECT id FROM notifications WHERE attempts > 0 AND kind <> 'slow'"
DEATHS_MAX = ATTEMPTS + 2  # it may kill two workers before its attempts are counted
PARKED_SECONDS = 120.0
LOOK_EVERY_SECONDS = 0.2
REFUNDED_SECONDS = 30.0  # until what was in a batch with it is tried without it


@fault(short=1, full=5)
def poison_among_the_tasks(house: House, crowd: Crowd) -> Iterator[None]:
    with Connection(house.rabbitmq.url) as connection:
        producer = connection.Producer(routing_key=DELIVERIES_QUEUE)
        for poison, kind in ((b"\x80\x04K*.", "application/x-python-serialize"), (b"{", "application/json")):
            producer.publish(poison, content_type=kind, content_encoding="binary", headers={"task": DELIVER, "id": "1"})
    celery = make_celery(house.rabbitmq.url)
    for arguments in ([], [["no id"]], [7], [[None]]):
        celery.send_task(DELIVER, args=arguments)
    celery.send_task("belfry.unheard_of", queue=DELIVERIES_QUEUE)
    yield


@fault(short=0, full=0)
def notification_that_its_worker_dies_of(house: House, crowd: Crowd) -> Iterator[None]:
    """Every worker that takes it is killed, until it is parked. Its backoff is shortened from three minutes."""
    with held_up(house, crowd) as id_:
        deaths = _kill_until_parked(house)
        blamed = _blamed(house)
        yield
        command = [sys.executable, "-m", "cli", "parked", "drop", id_]
        subprocess.run(command, env=house.stack.environ, cwd=ROOT, check=True, capture_output=True)
    if deaths > DEATHS_MAX:
        raise Broken(f"{deaths} workers died before it was parked")
    if blamed:
        raise Broken(f"{len(blamed)} others were blamed for its deaths")


def _blamed(house: House) -> set[str]:
    """Others whose attempts stay counted. What is being tried at the moment has its attempt counted too."""
    deadline, blamed = time.monotonic() + REFUNDED_SECONDS, {str(id_) for (id_,) in house.query(BLAMED)}
    while blamed and time.monotonic() < deadline:
        house.query(HASTEN)
        time.sleep(LOOK_EVERY_SECONDS)
        blamed &= {str(id_) for (id_,) in house.query(BLAMED)}
    return blamed


def _kill_until_parked(house: House) -> int:
    """Kill every worker that takes it; returns their number."""
    deaths = 0

    def parked() -> bool:
        nonlocal deaths
        if in_hand(house):
            house["worker"].kill()
            let_go(house)
            house["worker"].start()
            deaths += 1
        house.query(HASTEN)
        return house.query(PARKED) == [(DIED,)]

    wait_for(parked, PARKED_SECONDS, "it to be parked")
    return deaths

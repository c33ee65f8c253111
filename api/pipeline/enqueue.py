"""The one door from the API to Celery. Best effort: what is not enqueued here the relay enqueues later.

One thread publishes, because a broker that stops answering may hold a publisher for longer than any timeout says;
whoever waits for it waits a second at most, and while it is held, or just after a failure, nobody waits at all.
"""

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from lib import failpoints
from lib.broker_connection import open_connection
from lib.broker_url import parse_broker_url
from lib.circuit_breaker import CircuitBreaker
from workers.queues import ANNOUNCE, DELIVER, WITHDRAW, NoRoute, demand_routes, make_celery

__all__ = ["Enqueuer", "NoRoute"]

WAIT_SECONDS = 1.0  # how long a request waits for the broker: its answer is due within two seconds
RESET_SECONDS = 1.0  # after a failure the broker is not tried for this long
PUBLISH = {
    "retry": True,  # without a policy a refused publish takes six seconds to fail; with this one, ten milliseconds
    "retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
    "timeout": 1,
    "confirm_timeout": 1,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    task: str
    args: list[Any]
    outcome: "Future[None]" = field(default_factory=Future)


class Enqueuer:
    """Puts tasks on the broker. Connects lazily, after a fork; safe among threads and greenlets; never raises."""

    def __init__(self, broker_url: str) -> None:
        self._celery = make_celery(broker_url)
        if not parse_broker_url(broker_url).is_amqp:
            # Redis knows no confirms: without a timeout of its socket it waits for ever
            self._celery.conf.broker_transport_options["socket_timeout"] = WAIT_SECONDS
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._publisher: threading.Thread | None = None
        self._circuit = CircuitBreaker(RESET_SECONDS)

    def deliver(self, ids: Sequence[UUID]) -> bool:
        """Have these notifications delivered. False: the broker did not take it within a second."""
        failpoints.reached(failpoints.ACCEPTED)
        enqueued = self._enqueue(DELIVER, [[str(id_) for id_ in ids]])
        failpoints.reached(failpoints.ENQUEUED)
        return enqueued

    def withdraw(self, notification_id: UUID) -> bool:
        """Have this notification taken out of every inbox. False: as above; the relay sees to it."""
        return self._enqueue(WITHDRAW, [str(notification_id)])

    def announce(self, recipient_id: str, versions: Sequence[int]) -> bool:
        """Have these changes of an inbox announced to its owner's devices. False: as above; the devices sync later."""
        return self._enqueue(ANNOUNCE, [recipient_id, list(versions)])

    def check(self) -> None:
        """See that the broker takes tasks, as a health check: it has their queues, or makes them.

        Raises `NoRoute`, or what the broker's client raises, within seconds.
        """
        with self._celery.connection_for_write(connect_timeout=1) as connection:
            open_connection(connection)
            demand_routes(self._celery, connection)

    def _enqueue(self, task: str, args: list[Any]) -> bool:
        if not self._circuit.allow():
            return False
        job = Job(task, args)
        self._running_publisher()
        self._jobs.put(job)
        return self._wait(job)

    def _wait(self, job: Job) -> bool:
        try:
            job.outcome.result(WAIT_SECONDS)
        except FutureTimeout:
            job.outcome.cancel()  # the relay sees to it: published as well it would only be done twice
            self._failed("no answer")
        except NoRoute:
            log.error("no_route task=%s The broker answers, and has no queue that takes it", job.task)
            self._failed("no route")
        except Exception as error:
            self._failed(type(error).__name__)
        else:
            self._circuit.record_success()
            return True
        return False

    def _failed(self, reason: str) -> None:
        self._circuit.record_failure()
        log.warning("enqueue_failed reason=%s", reason)

    def _running_publisher(self) -> None:
        with self._start:
            if self._publisher is None or not self._publisher.is_alive():
                self._publisher = threading.Thread(target=self._publish_all, name="enqueue", daemon=True)
                self._publisher.start()

    def _publish_all(self) -> None:
        while True:
            job = self._jobs.get()
            if job.outcome.cancelled():
                continue
            self._publish(job)

    def _publish(self, job: Job) -> None:
        try:
            self._celery.send_task(job.task, args=job.args, **PUBLISH)
        except Exception as error:
            _quietly(job.outcome.set_exception, error)
        else:
            _quietly(job.outcome.set_result, None)


def _quietly(settle: Callable[[Any], None], value: Any) -> None:
    """Whoever waited may have given up at this very moment."""
    with suppress(InvalidStateError):
        settle(value)

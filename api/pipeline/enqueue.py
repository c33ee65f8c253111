"""Publishes Celery tasks; the only module of the API that does. Best effort: the relay enqueues later what fails here.

One thread publishes, because a broker that stops responding can block a publisher beyond every timeout. A request waits
for it for a second at most. While the thread is blocked, or just after a failure, requests do not wait at all.
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

WAIT_SECONDS = 1.0  # the longest wait of a request for the broker; a response is due within two seconds
RESET_SECONDS = 1.0  # the pause after a failure
PUBLISH = {
    "retry": True,  # with this policy a refused publish fails after ten milliseconds, without one after six seconds
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
    """Publishes tasks without raising. Connects at the first task. Safe among threads and greenlets."""

    def __init__(self, broker_url: str) -> None:
        self._celery = make_celery(broker_url)
        if not parse_broker_url(broker_url).is_amqp:
            # Redis has no publisher confirms; without a socket timeout a publish can block for ever.
            self._celery.conf.broker_transport_options["socket_timeout"] = WAIT_SECONDS
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._start = threading.Lock()
        self._publisher: threading.Thread | None = None
        self._circuit = CircuitBreaker(RESET_SECONDS)

    def deliver(self, ids: Sequence[UUID]) -> bool:
        """Enqueue the delivery of these notifications. False: the broker did not accept the task within a second."""
        failpoints.reached(failpoints.ACCEPTED)
        enqueued = self._enqueue(DELIVER, [[str(id_) for id_ in ids]])
        failpoints.reached(failpoints.ENQUEUED)
        return enqueued

    def withdraw(self, notification_id: UUID) -> bool:
        """Enqueue the withdrawal of this notification from every inbox. False: as above; the relay does it later."""
        return self._enqueue(WITHDRAW, [str(notification_id)])

    def announce(self, recipient_id: str, versions: Sequence[int]) -> bool:
        """Enqueue the announcement of these changes of an inbox. False: as above; the owner's devices sync later."""
        return self._enqueue(ANNOUNCE, [recipient_id, list(versions)])

    def check(self) -> None:
        """Check that the broker accepts tasks, and declare their queues if they are missing.

        Raises `NoRoute` or an error of the broker's client, within seconds.
        """
        with self._celery.connection_for_write(connect_timeout=1) as connection:
            open_connection(connection)
            demand_routes(self._celery, connection)

    def _enqueue(self, task: str, args: list[Any]) -> bool:
        if not self._circuit.allow():
            return False
        job = Job(task, args)
        self._ensure_publisher()
        self._jobs.put(job)
        return self._wait(job)

    def _wait(self, job: Job) -> bool:
        try:
            job.outcome.result(WAIT_SECONDS)
        except FutureTimeout:
            job.outcome.cancel()  # the relay enqueues it; publishing it too would only run it twice
            self._failed("no answer")
        except NoRoute:
            log.error("no_route task=%s The broker responds but has no queue for this task", job.task)
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

    def _ensure_publisher(self) -> None:
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
            _set(job.outcome.set_exception, error)
        else:
            _set(job.outcome.set_result, None)


def _set(set_outcome: Callable[[Any], None], value: Any) -> None:
    """Set the outcome, unless the request has stopped waiting and cancelled it."""
    with suppress(InvalidStateError):
        set_outcome(value)

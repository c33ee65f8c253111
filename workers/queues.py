"""The names on the broker, and the Celery application that knows them: for who enqueues and for who works."""

from datetime import timedelta
from typing import Any

from celery import Celery
from celery.app.amqp import AMQP
from kombu import Exchange, Queue

# Tasks carry ids, never content.
DELIVER = "belfry.deliver"  # ([notification id, …])
FAN_OUT = "belfry.fan_out"  # (notification id)
WITHDRAW = "belfry.withdraw"  # (notification id)
WITHDRAW_NAMED = "belfry.withdraw_named"  # ([notification id, …])
ANNOUNCE = "belfry.announce"  # (recipient id, [version, …])
RELAY = "belfry.relay"  # ()
UPKEEP = "belfry.upkeep"  # ()

DELIVERIES_QUEUE = "belfry.deliveries"
FANOUTS_QUEUE = "belfry.fanouts"
UPKEEP_QUEUE = "belfry.upkeep"

ROUTES = {
    DELIVER: {"queue": DELIVERIES_QUEUE},
    ANNOUNCE: {"queue": DELIVERIES_QUEUE},
    FAN_OUT: {"queue": FANOUTS_QUEUE},
    WITHDRAW: {"queue": FANOUTS_QUEUE},
    WITHDRAW_NAMED: {"queue": FANOUTS_QUEUE},
    RELAY: {"queue": UPKEEP_QUEUE},
    UPKEEP: {"queue": UPKEEP_QUEUE},
}

HEADERS = ("lang", "task", "id", "expires")

CONCURRENCY = 16  # tasks at a time in one process: those that deliver share one transaction

RELAY_EVERY = timedelta(seconds=2)
UPKEEP_EVERY = timedelta(minutes=1)

# A broker that does not answer within a second is treated as down: the relay delivers later, the caller goes on now.
BROKER_TIMEOUT_SECONDS = 1


class Terse(AMQP):  # type: ignore[misc]  # celery has no types
    """Celery's messages without what none of our tasks uses, which takes longer to write and read than the rest."""

    def as_task_v2(self, *args: Any, **options: Any) -> Any:
        message = super().as_task_v2(*args, **{**options, "argsrepr": "", "kwargsrepr": ""})
        told = {name: message.headers[name] for name in HEADERS if message.headers[name] is not None}
        return message._replace(headers=told)


def make_celery(broker_url: str) -> Celery:
    """A Celery application; it connects when it is first used, so it may be made before a fork."""
    app = Celery("belfry", broker=broker_url, set_as_current=False, include=["workers.tasks"], amqp=Terse)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_queues=[_queue(name) for name in (DELIVERIES_QUEUE, FANOUTS_QUEUE, UPKEEP_QUEUE)],
        task_default_queue=DELIVERIES_QUEUE,
        task_routes=ROUTES,
        # The database holds the promise and the relay keeps it, so a message need not outlive the broker's memory.
        task_default_delivery_mode="transient",
        # A worker that dies gives its tasks back at once; they may run twice, which changes nothing.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Threads share one database pool and one announcer; the work is waiting for the database.
        worker_pool="threads",
        worker_concurrency=CONCURRENCY,
        worker_prefetch_multiplier=4,
        # A worker that starts anew, or a second one on the host, must not be refused for the first one's queue.
        control_queue_exclusive=False,
        control_queue_durable=True,  # RabbitMQ 4.3 refuses transient queues that are not exclusive; it expires unused
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_timeout=BROKER_TIMEOUT_SECONDS,
        broker_connection_retry_on_startup=True,
        # After a loss of the connection Celery would fetch less at first, and more as tasks end: by words of the pool's
        # threads on the connection that the main thread reads. They take each other's answers, and it is deaf for good.
        worker_enable_prefetch_count_reduction=False,
        broker_connection_max_retries=None,  # a worker waits for its broker as long as it takes
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
        broker_transport_options=_transport_options(broker_url),
        beat_schedule={"relay": _tick(RELAY, RELAY_EVERY), "upkeep": _tick(UPKEEP, UPKEEP_EVERY)},
        beat_scheduler="celery.beat:Scheduler",  # the schedule is this one; there is nothing to keep in a file
    )
    return app


def _tick(task: str, every: timedelta) -> dict[str, object]:
    """What beat could not enqueue in time is not wanted later: the next tick does the same."""
    return {"task": task, "schedule": every, "options": {"expires": every.total_seconds()}}


def _queue(name: str) -> Queue:
    return Queue(name, Exchange("belfry.tasks", type="topic"), routing_key=name)


def _transport_options(broker_url: str) -> dict[str, object]:
    if broker_url.startswith("amqp"):
        return {"confirm_publish": True}
    return {"socket_connect_timeout": BROKER_TIMEOUT_SECONDS, "visibility_timeout": 60}

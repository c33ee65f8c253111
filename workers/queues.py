"""The names on the broker, and the Celery application that knows them: for who enqueues and for who works."""

from datetime import timedelta

from celery import Celery

from lib.broker_connection import options_of
from lib.broker_url import BrokerUrl, parse_broker_url
from workers.broker.routes import BrokerApp, Control, NoRoute, TaskMessages, TaskQueue, demand_routes

__all__ = ["NoRoute", "demand_routes", "make_celery"]

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

CONCURRENCY = 16  # tasks at a time in one process: those that deliver share one transaction

RELAY_EVERY = timedelta(seconds=2)
UPKEEP_EVERY = timedelta(minutes=1)

# A broker that does not answer within a second is treated as down: the relay delivers later, the caller goes on now.
BROKER_TIMEOUT_SECONDS = 1


def make_celery(broker_url: str) -> Celery:
    """A Celery application; it connects when it is first used, so it may be made before a fork."""
    broker = parse_broker_url(broker_url)
    app = BrokerApp(
        "belfry",
        broker=broker.url,
        set_as_current=False,
        include=["workers.tasks", "workers.health"],
        amqp=TaskMessages,
        control=Control,
    )
    app.conf.update(
        broker_use_ssl=broker.tls,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_queues=[TaskQueue.named(name) for name in (DELIVERIES_QUEUE, FANOUTS_QUEUE, UPKEEP_QUEUE)],
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
        broker_channel_error_retry=True,  # a queue may be deleted while the worker starts; it declares it again
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
        broker_transport_options=_transport_options(broker),
        beat_schedule={"relay": _tick(RELAY, RELAY_EVERY), "upkeep": _tick(UPKEEP, UPKEEP_EVERY)},
        beat_scheduler="celery.beat:Scheduler",  # the schedule is this one; there is nothing to keep in a file
    )
    return app


def _tick(task: str, every: timedelta) -> dict[str, object]:
    """What beat could not enqueue in time is not wanted later: the next tick does the same."""
    return {"task": task, "schedule": every, "options": {"expires": every.total_seconds()}}


def _transport_options(broker: BrokerUrl) -> dict[str, object]:
    if broker.is_amqp:
        return {"confirm_publish": True}
    timeouts = {"socket_connect_timeout": BROKER_TIMEOUT_SECONDS, "visibility_timeout": 60}
    return {**timeouts, **options_of(broker, BROKER_TIMEOUT_SECONDS)}

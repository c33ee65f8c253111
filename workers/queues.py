"""The names of tasks and queues, and the Celery application, for the API that enqueues and for the workers."""

from datetime import timedelta

from celery import Celery

from lib.broker_connection import options_of
from lib.broker_url import BrokerUrl, parse_broker_url
from workers.broker.routes import BrokerApp, CompactAMQP, Control, NoRoute, TaskQueue, demand_routes

__all__ = ["NoRoute", "demand_routes", "make_celery"]

# The arguments are ids, never content.
DELIVER = "belfry.deliver"  # ([notification id, …])
FAN_OUT = "belfry.fan_out"  # (notification id)
WITHDRAW = "belfry.withdraw"  # (notification id)
WITHDRAW_NAMED = "belfry.withdraw_named"  # ([notification id, …])
ANNOUNCE = "belfry.announce"  # (recipient id, [version, …])
RELAY = "belfry.relay"  # ()
MAINTENANCE = "belfry.upkeep"  # ()

DELIVERIES_QUEUE = "belfry.deliveries"
FANOUTS_QUEUE = "belfry.fanouts"
MAINTENANCE_QUEUE = "belfry.upkeep"  # the name is kept, as operators pass it to `-Q`

ROUTES = {
    DELIVER: {"queue": DELIVERIES_QUEUE},
    ANNOUNCE: {"queue": DELIVERIES_QUEUE},
    FAN_OUT: {"queue": FANOUTS_QUEUE},
    WITHDRAW: {"queue": FANOUTS_QUEUE},
    WITHDRAW_NAMED: {"queue": FANOUTS_QUEUE},
    RELAY: {"queue": MAINTENANCE_QUEUE},
    MAINTENANCE: {"queue": MAINTENANCE_QUEUE},
}

STEPS = ("deliver", "fan_out", "withdraw", "relay", "retention", "announce")  # a module of workers.tasks each

CONCURRENCY = 16  # tasks at once in one process; concurrent deliveries share a transaction

RELAY_EVERY = timedelta(seconds=2)
MAINTENANCE_EVERY = timedelta(minutes=1)

# A broker that does not reply within a second is treated as down: the caller goes on and the relay enqueues later.
BROKER_TIMEOUT_SECONDS = 1


def make_celery(broker_url: str) -> Celery:
    """A Celery application. It connects at its first use, so it may be made before a fork."""
    broker = parse_broker_url(broker_url)
    app = BrokerApp(
        "belfry",
        broker=broker.url,
        set_as_current=False,
        include=[*(f"workers.tasks.{step}" for step in STEPS), "workers.health"],
        amqp=CompactAMQP,
        control=Control,
    )
    app.conf.update(
        broker_use_ssl=broker.tls,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_queues=[TaskQueue.named(name) for name in (DELIVERIES_QUEUE, FANOUTS_QUEUE, MAINTENANCE_QUEUE)],
        task_default_queue=DELIVERIES_QUEUE,
        task_routes=ROUTES,
        # Accepted notifications are in the database and the relay enqueues them again: messages need not be durable.
        task_default_delivery_mode="transient",
        # The tasks of a worker that dies are redelivered: by RabbitMQ at once, by Redis after its visibility timeout.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Tasks mostly wait for the database; threads share one pool of connections and one announcer.
        worker_pool="threads",
        worker_concurrency=CONCURRENCY,
        worker_prefetch_multiplier=4,
        # An exclusive queue would refuse a restarted worker, or a second one on the host, while the first one has it.
        control_queue_exclusive=False,
        control_queue_durable=True,  # RabbitMQ 4.3 refuses non-exclusive transient queues; unused ones expire
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_timeout=BROKER_TIMEOUT_SECONDS,
        broker_connection_retry_on_startup=True,
        # After a reconnect Celery would lower the prefetch count and raise it as tasks end, from the pool's threads, on
        # the connection that the main thread reads. The threads take each other's replies, and the worker hangs.
        worker_enable_prefetch_count_reduction=False,
        broker_connection_max_retries=None,  # a worker reconnects without a limit
        broker_channel_error_retry=True,  # a queue may be deleted while the worker starts: declare it again
        task_publish_retry_policy={"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
        broker_transport_options=_transport_options(broker),
        beat_schedule={
            "relay": _beat_entry(RELAY, RELAY_EVERY),
            "maintenance": _beat_entry(MAINTENANCE, MAINTENANCE_EVERY),
        },
        beat_scheduler="celery.beat:Scheduler",  # the default scheduler would write a file
    )
    return app


def _beat_entry(task: str, every: timedelta) -> dict[str, object]:
    """A periodic task whose message expires when the next one is due."""
    return {"task": task, "schedule": every, "options": {"expires": every.total_seconds()}}


def _transport_options(broker: BrokerUrl) -> dict[str, object]:
    if broker.is_amqp:
        return {"confirm_publish": True}
    timeouts = {"socket_connect_timeout": BROKER_TIMEOUT_SECONDS, "visibility_timeout": 60}
    return {**timeouts, **options_of(broker, BROKER_TIMEOUT_SECONDS)}

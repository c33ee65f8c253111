"""Routes tasks to their queues by the queue's name, over the broker's default exchange, which needs no binding.

Bindings can be lost: on Redis kombu keeps them as keys, which FLUSHALL or eviction removes; on RabbitMQ they are
deleted with their exchange. A message without a matching binding is then dropped without an error.
"""

import logging
from collections.abc import Callable
from typing import Any

import amqp
from amqp.exceptions import ChannelError, PreconditionFailed
from celery import Celery
from celery.app.amqp import AMQP
from celery.app.control import Control as CeleryControl
from kombu import Connection, Exchange, Producer, Queue
from kombu.pidbox import Mailbox
from redis.exceptions import ResponseError

from workers.broker.strict_consumer import HEADERS

NO_ROUTE = 312  # AMQP's reply code for a returned message: no queue takes it
CLASSIC = {"x-queue-type": "classic"}  # explicit, as a virtual host may have another default
QUEUE_OPTIONS = ("exchange", "durable", "exclusive", "auto_delete", "expires", "message_ttl")
COLLECT_SECONDS = 1
READINESS_KEY = "belfry.readyz"

log = logging.getLogger(__name__)

Send = Callable[..., Any]


class NoRoute(Exception):
    """The broker is reachable but does not accept tasks: it has no queue for them, or is read-only or full."""


class TaskQueue(Queue):  # type: ignore[misc]  # kombu has no types
    """A classic queue on RabbitMQ. An existing queue of another type is used as it is."""

    @classmethod
    def named(cls, name: str) -> "TaskQueue":
        """A queue of tasks, bound to the default exchange by its name."""
        return cls(name, Exchange("", type="direct"), routing_key=name, queue_arguments=CLASSIC)

    @classmethod
    def like(cls, queue: Queue) -> "TaskQueue":
        """A classic queue with the name and options of another."""
        options = {name: getattr(queue, name) for name in QUEUE_OPTIONS}
        return cls(queue.name, routing_key=queue.routing_key, queue_arguments=CLASSIC, **options)

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        channel = channel or self.channel
        if not isinstance(channel, amqp.Channel):
            return super().queue_declare(nowait, passive, channel)
        try:
            with channel.connection.channel() as own:  # a refused declaration closes its channel
                return super().queue_declare(nowait=False, passive=passive, channel=own)
        except PreconditionFailed:
            with channel.connection.channel() as own:
                return super().queue_declare(nowait=False, passive=True, channel=own)


class ClassicMailbox(Mailbox):  # type: ignore[misc]
    """Celery's remote control, over classic queues."""

    def get_queue(self, hostname: str) -> TaskQueue:
        return TaskQueue.like(super().get_queue(hostname))

    def get_reply_queue(self) -> TaskQueue:
        return TaskQueue.like(super().get_reply_queue())


class Control(CeleryControl):  # type: ignore[misc]  # celery has no types
    Mailbox = ClassicMailbox


class BrokerApp(Celery):  # type: ignore[misc]
    """Connects to the broker it was made for; Celery would prefer the environment's CELERY_BROKER_URL."""

    def __init__(self, main: str, broker: str, **options: Any) -> None:
        self._own_broker = broker
        super().__init__(main, broker=broker, **options)

    def connection_for_read(self, url: str | None = None, **options: Any) -> Connection:
        return super().connection_for_read(url or self._own_broker, **options)

    def connection_for_write(self, url: str | None = None, **options: Any) -> Connection:
        return super().connection_for_write(url or self._own_broker, **options)


class CompactAMQP(AMQP):  # type: ignore[misc]
    """Publishes tasks with `HEADERS` only: the others are unused, and take longer to encode and decode than the rest.

    If no queue takes a message, the queue is declared again and the message is published once more.
    """

    @property
    def default_exchange(self) -> Exchange:
        return Exchange("", type="direct")

    def as_task_v2(self, *args: Any, **options: Any) -> Any:
        message = super().as_task_v2(*args, **{**options, "argsrepr": "", "kwargsrepr": ""})
        headers = {name: message.headers[name] for name in HEADERS if message.headers[name] is not None}
        return message._replace(headers=headers)

    def _create_task_sender(self) -> Send:
        send: Send = super()._create_task_sender()

        def send_or_declare_again(producer: Producer, name: str, message: Any, **options: Any) -> Any:
            try:
                return send(producer, name, message, mandatory=True, **options)
            except ChannelError as error:
                if error.reply_code != NO_ROUTE:
                    raise
            log.warning("queue_missing task=%s; it is declared again", name)
            _reconnect(producer)
            try:
                return send(producer, name, message, mandatory=True, **options)
            except ChannelError as error:
                raise NoRoute(name) from error

        return send_or_declare_again


def demand_routes(app: Celery, connection: Connection) -> None:
    """Check that the broker accepts tasks for each queue; a missing queue is declared. Raises `NoRoute`."""
    channel = connection.default_channel
    try:
        if isinstance(channel, amqp.Channel):
            for queue in app.amqp.queues.values():
                queue(channel).queue_declare()
        else:  # a list is created by the first push to it; replicas and full servers refuse any write
            channel.client.set(READINESS_KEY, "", px=1_000)
    except (ChannelError, ResponseError) as error:
        raise NoRoute(str(error)) from error


def _reconnect(producer: Producer) -> None:
    """Forget the declared queues, and drop the channel, on which the returned message's confirm is still to come."""
    connection = producer.connection
    connection.collect(COLLECT_SECONDS)
    producer.revive(connection)

"""Consumes the exchange, over AMQP or Redis, until the connection is lost."""

import base64
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import kombu
import redis

from lib.broker_connection import broker_connection, open_connection
from push.broker import wire

CONNECT_TIMEOUT = 5  # seconds for each step of connecting
HEARTBEAT = 6  # seconds; a broker that is silent for two of them is taken for dead
PROBE_RETRY = 60  # seconds after a probe that the broker did not accept: during an alarm it blocks the connection
TICK = 1  # seconds between two checks of the heartbeat
PREFETCH = 50  # messages of up to 256 KiB in this process's memory
# The queue of a slow or frozen push server is bounded, and is deleted with its connection.
QUEUE_ARGUMENTS = {
    "x-queue-type": "classic",  # quorum queues, which may be the virtual host's default, cannot be exclusive
    "x-max-length": 10_000,
    "x-max-length-bytes": 64 * 1024 * 1024,
    "x-overflow": "drop-head",
    "x-message-ttl": 60_000,
}
TRANSPORT_OPTIONS = {
    "max_retries": 0,
    "socket_timeout": CONNECT_TIMEOUT,
    "socket_connect_timeout": CONNECT_TIMEOUT,
}


@dataclass(frozen=True)
class Message:
    """One message as it was received, not validated."""

    content_type: str
    body: bytes


Messages = Generator[Message | None, None, None]
Probe = Callable[[], bool]  # publishes `wire.PROBE`; False if the broker did not accept it


def consume(broker_url: str, probe: Probe | None = None) -> Messages:
    """Yield None once subscribed, then each message. Nothing that is published after the None is missed.

    Raises what the broker's library raises: when the broker closes the connection or the consumer, or stays silent for
    too long.

    `probe` is called while AMQP is quiet, since no error reports that the exchange lost its binding to this queue. It
    must use another connection than this one, because RabbitMQ stops reading connections that publish while it has a
    memory or disk alarm. A probe that cannot be published, for example without the permission to write, is ignored;
    dead connections are found by the heartbeat.
    """
    connection = broker_connection(
        broker_url, heartbeat=HEARTBEAT, connect_timeout=CONNECT_TIMEOUT, transport_options=TRANSPORT_OPTIONS
    )
    try:
        open_connection(connection)
        if connection.transport.driver_type == "redis":
            yield from _consume_redis(connection)
        else:
            yield from _consume_amqp(connection, _Prober(probe or (lambda: False)))
    finally:
        with contextlib.suppress(Exception):
            connection.collect(CONNECT_TIMEOUT)  # closes the socket only: a broken broker would not reply to a close


class _Prober:
    """Sends a probe when no message came for `HEARTBEAT` seconds, and raises when an accepted probe does not arrive."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.message_received()

    def message_received(self) -> None:
        self._expected_by: float | None = None
        self._probe_at = time.monotonic() + HEARTBEAT

    def check(self) -> None:
        now = time.monotonic()
        if self._expected_by is not None and now > self._expected_by:
            raise TimeoutError("no message arrives through the exchange")
        if self._expected_by is None and now > self._probe_at:
            accepted = self._probe()
            self._expected_by = time.monotonic() + HEARTBEAT if accepted else None
            self._probe_at = time.monotonic() + PROBE_RETRY


def _consume_amqp(connection: kombu.Connection, prober: _Prober) -> Messages:
    connection.connection.sock.settimeout(CONNECT_TIMEOUT)  # py-amqp waits for some replies without a timeout
    channel = connection.default_channel
    channel.basic_qos(0, PREFETCH, False)
    received: deque[Any] = deque()
    with kombu.Consumer(channel, [_queue()], on_message=received.append, auto_declare=True):
        yield None
        unacknowledged = 0
        while True:
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=TICK)
            connection.heartbeat_check()
            while received:
                message = received.popleft()
                yield Message(str(message.content_type), _bytes(message.body))
                prober.message_received()  # after it was handled, which may take long
                unacknowledged += 1
                if unacknowledged >= PREFETCH // 2:
                    channel.basic_ack(message.delivery_tag, multiple=True)
                    unacknowledged = 0
            prober.check()


def _queue() -> kombu.Queue:
    return kombu.Queue(
        f"{wire.EXCHANGE}.push.{uuid4().hex}",
        kombu.Exchange(wire.EXCHANGE, type="fanout", durable=False),
        durable=False,
        exclusive=True,
        auto_delete=True,
        queue_arguments=QUEUE_ARGUMENTS,
    )


def _consume_redis(connection: kombu.Connection) -> Messages:
    """Subscribe without kombu's consumer, which takes ten times the CPU and also restores Celery's unacked tasks."""
    channel = connection.default_channel
    topic = channel._get_publish_topic(wire.EXCHANGE, "")
    subscription = redis.Redis(connection_pool=channel.pool).pubsub()  # type: ignore[no-untyped-call]
    with contextlib.closing(subscription):
        subscription.subscribe(topic)
        received_at = pinged_at = time.monotonic()
        while True:
            event = subscription.get_message(timeout=TICK)
            now = time.monotonic()
            if event is not None:
                received_at = now
            elif now - received_at > 2 * HEARTBEAT:
                raise TimeoutError("Redis does not reply to a ping")
            elif now - pinged_at > HEARTBEAT / 2:
                pinged_at = now
                subscription.ping()
            if event is not None and event["type"] == "subscribe":
                yield None
            if event is not None and event["type"] == "message":
                yield _from_envelope(event["data"])


def _from_envelope(data: bytes) -> Message:
    """The message in kombu's envelope for Redis; one without a valid envelope gets a content type that is refused."""
    try:
        envelope = json.loads(data)
        body = envelope["body"]
        encoded = envelope["properties"].get("body_encoding") == "base64"
        return Message(str(envelope["content-type"]), base64.b64decode(body) if encoded else body.encode())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Message("not a kombu envelope", data)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)

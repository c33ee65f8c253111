"""What the listener hears: messages of the exchange, over AMQP or Redis, until the connection is lost.

A feed is an iterator. Its first value is None: from here on nothing is missed. Every other is a `Message`. It raises
when the broker closes the connection or the consumer, and when it stays silent for too long.
"""

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
PROBE_AGAIN = (
    60  # seconds after a probe that the broker did not take; it keeps blocked connections until its alarm ends
)
TICK = 1  # seconds between two looks at the heartbeat
PREFETCH = 50  # messages of up to 256 KiB in this process's memory
# What waits for a push server that is slow or frozen is bounded, and dies with its connection.
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
    """One message as it came: nothing in it has been believed yet."""

    content_type: str
    body: bytes


Feed = Generator[Message | None, None, None]
Probe = Callable[[], bool]  # publish `wire.PROBE`; False if the broker did not take it


def feed(broker_url: str, probe: Probe | None = None) -> Feed:
    """Subscribe to the exchange. Raises what the broker's library raises.

    `probe` is called while AMQP is quiet: no error says that the exchange lost its binding to this queue. It must use
    another connection than this one, because RabbitMQ stops reading connections that publish while it has a memory or
    disk alarm. A probe that cannot be published, also for want of the permission to write, proves nothing: the feed
    goes on. The heartbeat finds dead connections without it.
    """
    connection = broker_connection(
        broker_url, heartbeat=HEARTBEAT, connect_timeout=CONNECT_TIMEOUT, transport_options=TRANSPORT_OPTIONS
    )
    try:
        open_connection(connection)
        if connection.transport.driver_type == "redis":
            yield from _over_redis(connection)
        else:
            yield from _over_amqp(connection, _Quiet(probe or (lambda: False)))
    finally:
        with contextlib.suppress(Exception):
            connection.collect(CONNECT_TIMEOUT)  # without a farewell: a broken broker would not answer it


class _Quiet:
    """Asks for a probe when nothing was heard for a while, and raises when one that the broker took does not arrive."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self.heard()

    def heard(self) -> None:
        self._expected_by: float | None = None
        self._probe_at = time.monotonic() + HEARTBEAT

    def check(self) -> None:
        now = time.monotonic()
        if self._expected_by is not None and now > self._expected_by:
            raise TimeoutError("nothing comes through the exchange")
        if self._expected_by is None and now > self._probe_at:
            taken = self._probe()
            self._expected_by = time.monotonic() + HEARTBEAT if taken else None
            self._probe_at = time.monotonic() + PROBE_AGAIN


def _over_amqp(connection: kombu.Connection, quiet: _Quiet) -> Feed:
    connection.connection.sock.settimeout(CONNECT_TIMEOUT)  # for what py-amqp waits without a bound
    channel = connection.default_channel
    channel.basic_qos(0, PREFETCH, False)
    arrived: deque[Any] = deque()
    with kombu.Consumer(channel, [_queue()], on_message=arrived.append, auto_declare=True):
        yield None
        unacknowledged = 0
        while True:
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=TICK)
            connection.heartbeat_check()
            while arrived:
                message = arrived.popleft()
                yield Message(str(message.content_type), _bytes(message.body))
                quiet.heard()  # after it was handled, which may take long
                unacknowledged += 1
                if unacknowledged >= PREFETCH // 2:
                    channel.basic_ack(message.delivery_tag, multiple=True)
                    unacknowledged = 0
            quiet.check()


def _queue() -> kombu.Queue:
    return kombu.Queue(
        f"{wire.EXCHANGE}.push.{uuid4().hex}",
        kombu.Exchange(wire.EXCHANGE, type="fanout", durable=False),
        durable=False,
        exclusive=True,
        auto_delete=True,
        queue_arguments=QUEUE_ARGUMENTS,
    )


def _over_redis(connection: kombu.Connection) -> Feed:
    """Kombu's own consumer costs ten times as much, and also looks after Celery's unacknowledged tasks on its way."""
    channel = connection.default_channel
    topic = channel._get_publish_topic(wire.EXCHANGE, "")
    subscription = redis.Redis(connection_pool=channel.pool).pubsub()  # type: ignore[no-untyped-call]
    with contextlib.closing(subscription):
        subscription.subscribe(topic)
        heard_at = asked_at = time.monotonic()
        while True:
            event = subscription.get_message(timeout=TICK)
            now = time.monotonic()
            if event is not None:
                heard_at = now
            elif now - heard_at > 2 * HEARTBEAT:
                raise TimeoutError("Redis is silent")
            elif now - asked_at > HEARTBEAT / 2:
                asked_at = now
                subscription.ping()
            if event is not None and event["type"] == "subscribe":
                yield None
            if event is not None and event["type"] == "message":
                yield _from_envelope(event["data"])


def _from_envelope(data: bytes) -> Message:
    """Kombu's form of a message on Redis."""
    try:
        envelope = json.loads(data)
        body = envelope["body"]
        encoded = envelope["properties"].get("body_encoding") == "base64"
        return Message(str(envelope["content-type"]), base64.b64decode(body) if encoded else body.encode())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return Message("none of kombu's", data)


def _bytes(body: Any) -> bytes:
    return body.encode() if isinstance(body, str) else bytes(body)

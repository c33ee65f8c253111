"""The announcer: tells the push servers, over the broker, what has changed. It is quick or it raises; it never waits.

A stock `KombuManager` swallows errors and blocks for as long as the broker is away. Here every step has a bound, and
a broker that failed is left alone for a moment. What is not announced is not lost: the inbox has it, and the next
announcement's version shows the gap.
"""

import contextlib
import os
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import kombu
import socketio

from lib.broker_connection import broker_connection, open_connection
from lib.circuit_breaker import CircuitBreaker
from push.broker import wire

BROKER_TIMEOUT = 1  # seconds for each step: connect, write, confirm
RETRY_WITHIN = 0.5  # a connection that fails sooner was closed while it was idle: one new one is tried
RESET_SECONDS = 1  # after a failure the broker is not tried for this long
EXPIRATION = 10  # seconds; a push server that lags further behind has told its clients to sync
TURN_TIMEOUT = 3  # seconds to wait for another thread's announcement; by then it has succeeded or failed
TRANSIENT = 1
TRANSPORT_OPTIONS = {
    "confirm_publish": True,
    "max_retries": 0,
    "socket_timeout": BROKER_TIMEOUT,
    "socket_connect_timeout": BROKER_TIMEOUT,
}


class AnnounceFailed(Exception):
    """The broker did not take the announcement in time; whether it still arrives is unknown."""


class Announcer(socketio.KombuManager):  # type: ignore[misc]  # socketio has no types
    """Announces over AMQP or Redis. One object serves all threads and greenlets, and connects when first needed.

    Plain `emit(…)` works as on any write-only `KombuManager`, and raises `AnnounceFailed` as well.
    """

    def __init__(self, broker_url: str, *, write_only: bool = True) -> None:
        super().__init__(broker_url, channel=wire.EXCHANGE, write_only=write_only)
        self._begin()

    def announce(self, announcements: Sequence[wire.Announcement]) -> None:
        """Hand the announcements to the broker, in order. Raises `AnnounceFailed`; some may have gone out by then."""
        for message in wire.encode(announcements):
            self._send(message)

    def announce_arrivals(self, arrivals: wire.Arrivals) -> None:
        """As `announce`, for items that arrived: what their recipients share goes out once."""
        for message in wire.encode_arrivals(arrivals):
            self._send(message)

    def revoke(self, user_id: str, revoked_before: datetime) -> None:
        """Have every push server refuse this user's tokens issued before that moment. Raises `AnnounceFailed`."""
        self._send(wire.encode_revocation(wire.Revocation(user_id, revoked_before)))

    def close(self) -> None:
        """Drop the connection; the next announcement opens a new one."""
        with self._turn:
            self._drop()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._turn = threading.Lock()
        self._producer: kombu.Producer | None = None
        self._circuit = CircuitBreaker(RESET_SECONDS)

    def _connection(self) -> kombu.Connection:
        return broker_connection(self.url, connect_timeout=BROKER_TIMEOUT, transport_options=TRANSPORT_OPTIONS)

    def _publish(self, data: dict[str, Any]) -> None:
        self._send(self.json.dumps(data))

    def _send(self, message: str) -> None:
        if self._process != os.getpid():
            self._inherited = self._producer  # the parent's: neither used nor closed here
            self._begin()
        if not self._turn.acquire(timeout=TURN_TIMEOUT):
            raise AnnounceFailed("the broker keeps another announcement waiting")
        try:
            self._send_in_turn(message)
        finally:
            self._turn.release()

    def _send_in_turn(self, message: str) -> None:
        if not self._circuit.allow():
            raise AnnounceFailed("the broker failed a moment ago and is left alone")
        started = time.monotonic()
        idle_before = self._producer is not None
        try:
            try:
                self._deliver(message)
            except Exception:
                if not idle_before or time.monotonic() - started > RETRY_WITHIN:
                    raise
                self._deliver(message)
        except Exception as error:
            self._circuit.record_failure()
            raise AnnounceFailed(f"the broker did not take it: {type(error).__name__}") from error
        self._circuit.record_success()

    def _deliver(self, message: str) -> None:
        try:
            if self._producer is None:
                self._producer = self._connect()
            self._producer.publish(
                message,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=TRANSIENT,
                expiration=EXPIRATION,
                retry=False,
                timeout=BROKER_TIMEOUT,
                confirm_timeout=BROKER_TIMEOUT,
            )
        except BaseException:  # a killed greenlet, too, leaves half a conversation behind
            self._drop()
            raise

    def _connect(self) -> kombu.Producer:
        self.publisher_connection = self._connection()
        open_connection(self.publisher_connection)
        driver = self.publisher_connection.connection
        if self.publisher_connection.transport.driver_type == "amqp":
            driver.sock.settimeout(BROKER_TIMEOUT)  # py-amqp waits without a bound for answers but to a publish
        return self.publisher_connection.Producer(exchange=self._exchange())

    def _drop(self) -> None:
        """Close the socket without a farewell, which a broken or frozen broker would not answer."""
        self._producer = None
        with contextlib.suppress(Exception):
            self.publisher_connection.collect(BROKER_TIMEOUT)

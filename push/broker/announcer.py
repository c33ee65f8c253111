"""Announces committed changes to the push servers, over the broker. Every call has a timeout.

A stock `KombuManager` swallows errors and blocks while the broker is unreachable. This one raises, and a circuit
breaker refuses calls for a moment after a failure. A lost announcement does no harm: the inbox has the change, and the
version of the next announcement shows the gap.
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
from lib.rendering.delivered_items import DeliveredItems
from push.broker import wire

BROKER_TIMEOUT = 1  # seconds for each step: connect, write, confirm
RETRY_WITHIN = 0.5  # seconds; a connection that fails sooner was closed while it was idle, and is opened again once
RESET_TIMEOUT = 1  # seconds after a failure in which no call is made
EXPIRATION = 10  # seconds; a push server that lags further behind has emitted `sync` to its clients
LOCK_TIMEOUT = 3  # seconds; another thread's announcement has succeeded or failed by then
TRANSIENT = 1
TRANSPORT_OPTIONS = {
    "confirm_publish": True,
    "max_retries": 0,
    "socket_timeout": BROKER_TIMEOUT,
    "socket_connect_timeout": BROKER_TIMEOUT,
}


class AnnounceFailed(Exception):
    """The broker did not confirm the announcement in time; whether it still arrives is unknown."""


class Announcer(socketio.KombuManager):  # type: ignore[misc]  # socketio has no types
    """Announces over AMQP or Redis. Safe among threads and greenlets; connects at the first call.

    `emit(…)` works as on any write-only `KombuManager`, except that it too raises `AnnounceFailed`.
    """

    def __init__(self, broker_url: str, *, write_only: bool = True) -> None:
        super().__init__(broker_url, channel=wire.EXCHANGE, write_only=write_only)
        self._reset()

    def announce(self, announcements: Sequence[wire.Announcement]) -> None:
        """Publish the announcements, in order. Raises `AnnounceFailed`; some may have been published by then."""
        for message in wire.encode(announcements):
            self._send(message)

    def announce_items(self, delivered: DeliveredItems) -> None:
        """As `announce`, for delivered items: the content that recipients share is sent once."""
        for message in wire.encode_items(delivered):
            self._send(message)

    def revoke(self, user_id: str, revoked_before: datetime) -> None:
        """Have every push server refuse the user's tokens issued before that time. Raises `AnnounceFailed`."""
        self._send(wire.encode_revocation(wire.Revocation(user_id, revoked_before)))

    def close(self) -> None:
        """Close the connection; the next announcement opens a new one."""
        with self._lock:
            self._disconnect()

    def _reset(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._producer: kombu.Producer | None = None
        self._circuit = CircuitBreaker(RESET_TIMEOUT)

    def _connection(self) -> kombu.Connection:
        return broker_connection(self.url, connect_timeout=BROKER_TIMEOUT, transport_options=TRANSPORT_OPTIONS)

    def _publish(self, data: dict[str, Any]) -> None:
        self._send(self.json.dumps(data))

    def _send(self, message: str) -> None:
        if self._process != os.getpid():
            self._inherited = self._producer  # the parent's, after a fork: neither used nor closed here
            self._reset()
        if not self._lock.acquire(timeout=LOCK_TIMEOUT):
            raise AnnounceFailed("another announcement still waits for the broker")
        try:
            self._send_locked(message)
        finally:
            self._lock.release()

    def _send_locked(self, message: str) -> None:
        if not self._circuit.allow():
            raise AnnounceFailed("the broker failed a moment ago; the circuit is open")
        started = time.monotonic()
        was_connected = self._producer is not None
        try:
            try:
                self._publish_once(message)
            except Exception:
                if not was_connected or time.monotonic() - started > RETRY_WITHIN:
                    raise
                self._publish_once(message)
        except Exception as error:
            self._circuit.record_failure()
            raise AnnounceFailed(f"the broker did not confirm it: {type(error).__name__}") from error
        self._circuit.record_success()

    def _publish_once(self, message: str) -> None:
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
        except BaseException:  # also a killed greenlet: the connection is in the middle of an exchange
            self._disconnect()
            raise

    def _connect(self) -> kombu.Producer:
        self.publisher_connection = self._connection()
        open_connection(self.publisher_connection)
        driver = self.publisher_connection.connection
        if self.publisher_connection.transport.driver_type == "amqp":
            driver.sock.settimeout(BROKER_TIMEOUT)  # py-amqp has a timeout for publishing only
        return self.publisher_connection.Producer(exchange=self._exchange())

    def _disconnect(self) -> None:
        """Close the socket without AMQP's close handshake, to which a frozen broker would not reply."""
        self._producer = None
        with contextlib.suppress(Exception):
            self.publisher_connection.collect(BROKER_TIMEOUT)

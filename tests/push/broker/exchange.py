"""A consumer of the exchange that is not a push server."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator

import kombu

from push.broker import wire
from push.broker.wire import Announcement

HEAR_SECONDS = 60.0


class Ear:
    """Listens on the exchange as plainly as kombu can."""

    def __init__(self, url: str) -> None:
        self._connection = kombu.Connection(url)
        exchange = kombu.Exchange(wire.EXCHANGE, type="fanout", durable=False)
        queue = kombu.Queue(uuid.uuid4().hex, exchange, exclusive=True, auto_delete=True)
        self.messages: list[kombu.Message] = []
        self._consumer = self._connection.Consumer(queue, on_message=self.messages.append, no_ack=True)
        self._consumer.consume()
        self._drain(0.05)  # over Redis this is what subscribes

    def next_message(self) -> kombu.Message:
        deadline = time.monotonic() + HEAR_SECONDS
        while not self.messages and time.monotonic() < deadline:
            self._drain(0.1)
        (message,) = self.messages
        return message

    def hear(self, count: int) -> list[Announcement]:
        """All that came until so many different ones were among them, or until `HEAR_SECONDS` have passed."""
        return self._hear_until(lambda heard: len({repr(one) for one in heard}) >= count)

    def hears(self, announcement: Announcement) -> bool:
        return announcement in self._hear_until(lambda heard: announcement in heard)

    def _hear_until(self, enough: Callable[[list[Announcement]], bool]) -> list[Announcement]:
        heard: list[Announcement] = []
        decoded = 0
        deadline = time.monotonic() + HEAR_SECONDS
        while not enough(heard) and time.monotonic() < deadline:
            self._drain(0.1)
            heard += [one for message in self.messages[decoded:] for one in wire.decode(json.loads(message.body))]
            decoded = len(self.messages)
        return heard

    def _drain(self, timeout: float) -> None:
        with contextlib.suppress(TimeoutError):
            self._connection.drain_events(timeout=timeout)

    def close(self) -> None:
        self._connection.collect()


@contextlib.contextmanager
def listening(url: str) -> Iterator[Ear]:
    ear = Ear(url)
    try:
        yield ear
    finally:
        ear.close()

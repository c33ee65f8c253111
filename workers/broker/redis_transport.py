"""What a worker takes for a message on Redis, where its queues are lists that hold whatever was put there."""

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

log = logging.getLogger(__name__)


class OnlyEnvelopes:
    """Of a channel of kombu's: what is none of its envelopes is dropped with one line, and does not end the worker."""

    def _brpop_read(self, **options: Any) -> Any:
        return _sparing(super()._brpop_read, **options)  # type: ignore[misc]

    def _receive_one(self, subscription: Any) -> Any:
        return _sparing(super()._receive_one, subscription)  # type: ignore[misc]


class Channel(OnlyEnvelopes, redis.Channel):  # type: ignore[misc]  # kombu has no types
    pass


class SentinelChannel(OnlyEnvelopes, redis.SentinelChannel):  # type: ignore[misc]
    pass


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel


class SentinelTransport(redis.SentinelTransport):  # type: ignore[misc]
    Channel = SentinelChannel


def install() -> None:
    """From now on a `redis` or `sentinel` in a broker's URL means this. Call it before the first connection."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
    TRANSPORT_ALIASES["sentinel"] = f"{__name__}:SentinelTransport"


def _sparing(read: Any, *args: Any, **options: Any) -> Any:
    try:
        return read(*args, **options)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        log.warning("message_dropped reason=no envelope: %s", type(error).__name__)
        return True

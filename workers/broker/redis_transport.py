"""Kombu's Redis transport, which drops invalid messages instead of raising.

On Redis a queue is a list that anybody may push to. An element that is not kombu's envelope would end the worker.
"""

import logging
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

log = logging.getLogger(__name__)


class StrictChannel:
    """Mixin for kombu's channels: an element without a valid envelope is dropped with one log line."""

    def _brpop_read(self, **options: Any) -> Any:
        return _drop_invalid(super()._brpop_read, **options)  # type: ignore[misc]

    def _receive_one(self, subscription: Any) -> Any:
        return _drop_invalid(super()._receive_one, subscription)  # type: ignore[misc]


class Channel(StrictChannel, redis.Channel):  # type: ignore[misc]  # kombu has no types
    pass


class SentinelChannel(StrictChannel, redis.SentinelChannel):  # type: ignore[misc]
    pass


class Transport(redis.Transport):  # type: ignore[misc]
    Channel = Channel


class SentinelTransport(redis.SentinelTransport):  # type: ignore[misc]
    Channel = SentinelChannel


def install() -> None:
    """Use these transports for `redis`, `rediss` and `sentinel` URLs. Call it before the first connection."""
    TRANSPORT_ALIASES.update(dict.fromkeys(("redis", "rediss"), f"{__name__}:Transport"))
    TRANSPORT_ALIASES["sentinel"] = f"{__name__}:SentinelTransport"


def _drop_invalid(read: Any, *args: Any, **options: Any) -> Any:
    try:
        return read(*args, **options)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        log.warning("message_dropped reason=not an envelope: %s", type(error).__name__)
        return True

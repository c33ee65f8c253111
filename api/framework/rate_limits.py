"""Rate limits: requests a minute of each user and each producer.

All processes count together in Redis. Without Redis, or while it fails, each process counts on its own.
"""

import logging
import math
import time
from collections.abc import Mapping
from typing import Any

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis import BlockingConnectionPool, ConnectionPool, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from api.framework.problems import RATE_LIMITED, Problem
from auth.scopes import INBOX, NOTIFY
from lib.broker_url import BrokerUrl, parse_broker_url
from lib.circuit_breaker import CircuitBreaker

NAMES = {INBOX: "user", NOTIFY: "producer"}
REDIS_TIMEOUT_SECONDS = 0.2  # a request waits at most this long to be counted
REDIS_RESET_SECONDS = 5.0  # after a failure Redis is tried again by one request in this time
REDIS_CONNECTIONS = 20
WINDOW_SECONDS = 60

log = logging.getLogger(__name__)


class LocalCounter:
    """Counts each caller's requests in this process, in a minute that begins with the first of them.

    The memory storage of `limits` is not used: it starts a thread every 10 ms to purge expired windows.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}
        self._purge_at = 0.0

    def seconds_to_wait(self, amount: int, name: str, caller: str) -> int:
        """Count a request. Returns 0, or the seconds until the caller may send another."""
        now = time.monotonic()
        if now >= self._purge_at:
            self._counts = {key: count for key, count in self._counts.items() if count[0] > now}
            self._purge_at = now + WINDOW_SECONDS
        ends, count = self._counts.get((name, caller), (0.0, 0))
        if ends <= now:
            ends, count = now + WINDOW_SECONDS, 0
        self._counts[name, caller] = ends, count + 1
        return math.ceil(ends - now) if count >= amount else 0


class RateLimits:
    """Connects when first asked, so it may be made before a fork. Safe among threads and greenlets."""

    def __init__(self, *, user: int, producer: int, redis_url: str | None = None) -> None:
        self._limits = {INBOX: RateLimitItemPerMinute(user), NOTIFY: RateLimitItemPerMinute(producer)}
        self._local = LocalCounter()
        self._shared = None if redis_url is None else FixedWindowRateLimiter(_redis_storage(redis_url))
        self._redis_circuit = CircuitBreaker(REDIS_RESET_SECONDS, single_probe=True)

    def demand(self, scope: str, caller: str) -> None:
        """Count a request of this caller. Raises `Problem` with `Retry-After` when it exceeds the limit."""
        limit, name = self._limits[scope], NAMES[scope]
        seconds = self._seconds_to_wait(limit, name, caller)
        if seconds:
            raise Problem(RATE_LIMITED, headers=_headers(limit, name, seconds))

    def _seconds_to_wait(self, limit: RateLimitItem, name: str, caller: str) -> int:
        if self._shared is not None and self._redis_circuit.allow():
            try:
                seconds = _count(self._shared, limit, name, caller)
            except (RedisError, OSError) as error:
                if self._redis_circuit.record_failure():
                    log.warning("rate_limits_counted_alone reason=%s", type(error).__name__)
            else:
                if self._redis_circuit.record_success():
                    log.info("rate_limits_counted_together")
                return seconds
        return self._local.seconds_to_wait(limit.amount, name, caller)


def _count(limiter: FixedWindowRateLimiter, limit: RateLimitItem, name: str, caller: str) -> int:
    """Count a request. Returns 0, or the seconds until the caller may send another."""
    if limiter.hit(limit, name, caller):
        return 0
    resets_at = limiter.get_window_stats(limit, name, caller).reset_time
    return max(1, math.ceil(resets_at - time.time()))


def _headers(limit: RateLimitItem, name: str, seconds: int) -> Mapping[str, str]:
    """`Retry-After`, and the fields of the IETF's draft on rate limits."""
    return {
        "Retry-After": str(seconds),
        "RateLimit-Policy": f'"{name}";q={limit.amount};w={WINDOW_SECONDS}',
        "RateLimit": f'"{name}";r=0;t={seconds}',
    }


def _redis_storage(redis_url: str) -> RedisStorage:
    return RedisStorage("redis://", connection_pool=connection_pool(parse_broker_url(redis_url)), key_prefix="belfry")


def connection_pool(url: BrokerUrl) -> ConnectionPool:
    """Connections with the timeouts of a request."""
    timeouts = {"socket_timeout": REDIS_TIMEOUT_SECONDS, "socket_connect_timeout": REDIS_TIMEOUT_SECONDS}
    once = {**timeouts, "retry": Retry(NoBackoff(), 0)}
    options: dict[str, Any] = {"max_connections": REDIS_CONNECTIONS, "db": url.database, **once}
    if url.tls:
        options |= url.redis_tls()
    if url.scheme != "sentinel":
        return BlockingConnectionPool.from_url(url.redis_url, timeout=REDIS_TIMEOUT_SECONDS, **options)
    sentinels = Sentinel(url.addresses, sentinel_kwargs={**once, **url.sentinel_options})  # type: ignore[no-untyped-call]
    login = {"username": url.username, "password": url.password, "ssl": bool(url.tls)}
    return SentinelConnectionPool(url.options["master_name"], sentinels, **login, **options)  # type: ignore[no-untyped-call]

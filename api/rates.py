"""How many requests a user and a producer may make in a minute: counted together by all processes over Redis, or by
each process for itself where there is none.
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

from api.problems import RATE_LIMITED, Problem
from api.scopes import INBOX, NOTIFY
from lib.broker_url import BrokerUrl, parse_broker_url

NAMES = {INBOX: "user", NOTIFY: "producer"}
REDIS_TIMEOUT_SECONDS = 0.2  # a request waits no longer for its turn to be counted
REDIS_REST_SECONDS = 5.0  # how long a Redis that failed is left alone
REDIS_CONNECTIONS = 20
A_MINUTE = 60

log = logging.getLogger(__name__)


class OwnCount:
    """Each caller's requests in this process, by the minute that begins with the first of them.

    The memory storage of `limits` starts a thread every hundredth of a second to forget what has ended.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}
        self._forget_at = 0.0

    def seconds_to_wait(self, amount: int, name: str, caller: str) -> int:
        """Count one more; 0, or the seconds until this caller may come again."""
        now = time.monotonic()
        if now >= self._forget_at:
            self._counts = {one: count for one, count in self._counts.items() if count[0] > now}
            self._forget_at = now + A_MINUTE
        ends, count = self._counts.get((name, caller), (0.0, 0))
        if ends <= now:
            ends, count = now + A_MINUTE, 0
        self._counts[name, caller] = ends, count + 1
        return math.ceil(ends - now) if count >= amount else 0


class RateLimits:
    """Connects when first asked, so it may be made before a fork. Safe among threads and greenlets."""

    def __init__(self, *, user: int, producer: int, redis_url: str | None = None) -> None:
        self._limits = {INBOX: RateLimitItemPerMinute(user), NOTIFY: RateLimitItemPerMinute(producer)}
        self._alone = OwnCount()
        self._together = None if redis_url is None else FixedWindowRateLimiter(_shared(redis_url))
        self._rest_until = 0.0
        self._is_resting = False

    def demand(self, scope: str, caller: str) -> None:
        """Count a request of this caller. Raises `Problem` when it is one too many; it says when to come back."""
        limit, name = self._limits[scope], NAMES[scope]
        seconds = self._seconds_to_wait(limit, name, caller)
        if seconds:
            raise Problem(RATE_LIMITED, headers=_headers(limit, name, seconds))

    def _seconds_to_wait(self, limit: RateLimitItem, name: str, caller: str) -> int:
        if self._together is not None and self._may_ask_redis():
            try:
                seconds = _count(self._together, limit, name, caller)
            except (RedisError, OSError) as error:
                self._rest(error)
            else:
                self._work()
                return seconds
        return self._alone.seconds_to_wait(limit.amount, name, caller)

    def _may_ask_redis(self) -> bool:
        """While it is away one request in so long looks whether it is back."""
        now = time.monotonic()
        if now < self._rest_until:
            return False
        if self._is_resting:
            self._rest_until = now + REDIS_REST_SECONDS
        return True

    def _rest(self, error: Exception) -> None:
        self._rest_until = time.monotonic() + REDIS_REST_SECONDS
        if not self._is_resting:
            self._is_resting = True
            log.warning("rate_limits_counted_alone reason=%s", type(error).__name__)

    def _work(self) -> None:
        if self._is_resting:
            self._is_resting = False
            self._rest_until = 0.0
            log.info("rate_limits_counted_together")


def _count(limiter: FixedWindowRateLimiter, limit: RateLimitItem, name: str, caller: str) -> int:
    """0, or the seconds until this caller may come again."""
    if limiter.hit(limit, name, caller):
        return 0
    opens_at = limiter.get_window_stats(limit, name, caller).reset_time
    return max(1, math.ceil(opens_at - time.time()))


def _headers(limit: RateLimitItem, name: str, seconds: int) -> Mapping[str, str]:
    """`Retry-After`, and the same in the words of the IETF's draft for rate limits."""
    return {
        "Retry-After": str(seconds),
        "RateLimit-Policy": f'"{name}";q={limit.amount};w={A_MINUTE}',
        "RateLimit": f'"{name}";r=0;t={seconds}',
    }


def _shared(redis_url: str) -> RedisStorage:
    return RedisStorage("redis://", connection_pool=connection_pool(parse_broker_url(redis_url)), key_prefix="belfry")


def connection_pool(url: BrokerUrl) -> ConnectionPool:
    """Connections of which each waits no longer than a request may."""
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

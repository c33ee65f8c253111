"""The cost of the timers of 10,000 idle push sockets: `push.transport.timers` beside gevent's own.

python -m bench.timers KIND   one of heap, gevent, greenlet; a process each, as memory is the process's

Each socket has a ping every 25 s, answered at once, and a warning and an expiry of its token an hour ahead.
"""

# ruff: noqa: E402  (everything below must find its modules patched)
from gevent import monkey

monkey.patch_all()

import functools
import gc
import os
import random
import resource
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import gevent

from bench.meter import memory_kib
from push.transport.limits import PING_INTERVAL, PING_TIMEOUT
from push.transport.timers import Timers

SOCKETS = 10_000
TOKEN_SECONDS = 3600
SECONDS = 25


class LoopTimer:
    """gevent's `loop.timer` with the interface of `push.transport.timers.Timer`."""

    __slots__ = ("_callback", "_spawn", "_timer")

    def __init__(self, seconds: float, callback: Callable[[], object], *, spawn: bool) -> None:
        self._callback, self._spawn = callback, spawn
        self._timer = gevent.get_hub().loop.timer(seconds)
        self._timer.start(self._fire)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def _fire(self) -> None:
        self.cancel()
        if self._spawn:
            gevent.spawn(self._callback)
        else:
            self._callback()


class Socket:
    """The timers of one socket."""

    __slots__ = ("_after", "_timer", "_token_timers", "pings")

    def __init__(self, after: Callable[..., Any]) -> None:
        self._after = after
        self._token_timers = after(TOKEN_SECONDS - 60, self._never), after(TOKEN_SECONDS, self._never)
        self._timer = after(random.uniform(0, PING_INTERVAL), self._ping)
        self.pings = 0

    def _never(self) -> None:
        raise AssertionError("the token expired")

    def _ping(self) -> None:
        self.pings += 1
        self._restart(PING_TIMEOUT, self._never)
        gevent.get_hub().loop.run_callback(self._pong)

    def _pong(self) -> None:
        self._restart(PING_INTERVAL, self._ping)

    def _restart(self, seconds: float, callback: Callable[[], object]) -> None:
        self._timer.cancel()
        self._timer = self._after(seconds, callback)


def main(kind: str) -> None:
    gc.disable()
    heap = Timers()
    gevent.spawn(heap.run)
    kinds: dict[str, Callable[..., Any]] = {
        "heap": heap.after,
        "gevent": functools.partial(LoopTimer, spawn=False),
        "greenlet": functools.partial(LoopTimer, spawn=True),
    }
    after = kinds[kind]
    gevent.sleep(0.1)
    begun = _spent()
    sockets = [Socket(after) for _ in range(SOCKETS)]
    gevent.sleep(0)
    idle = _spent()
    gevent.sleep(SECONDS)
    ended = _spent()
    print(
        f"{kind}: {(ended.cpu - idle.cpu) / SECONDS * 1000:.1f} ms of CPU a second,"
        f" {(ended.switches - idle.switches) / SECONDS:.0f} context switches a second,"
        f" {(idle.memory - begun.memory) / SOCKETS * 1024:.0f} to {(ended.memory - begun.memory) / SOCKETS * 1024:.0f}"
        f" bytes a socket; {sum(socket.pings for socket in sockets)} pings"
    )


class Spent(NamedTuple):
    cpu: float  # seconds
    switches: int  # to another process: the event loop waited
    memory: int  # KiB


def _spent() -> Spent:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_nvcsw, memory_kib(os.getpid()))


if __name__ == "__main__":
    main(sys.argv[1])

"""Thousands of recipients with a screen each, at little cost: raw sockets in one thread, which reconnect as clients do.

Each knows only its version and follows the client's rule: it applies the next change, ignores those that it has, and on
anything else asks the API for the changes since its version.
"""

import asyncio
import contextlib
import json
import math
import random
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from bench.http import Pool, get
from bench.socketio_client import Client
from client.inbox import RECONNECT_WITHIN_SECONDS, SYNC_RETRY_SECONDS
from tests.faults.load import TOKEN_SECONDS
from tests.support.stack import token_for

SIGMAS = 6  # above what chance produces, in any of the seconds
AT_ONCE = 50  # that connect at a time, at first
ASKING = 2_000  # requests in flight: more than there will be, so that this does not limit their rate


class Somebody:
    """One recipient with one screen."""

    def __init__(self, many: "Many", name: str) -> None:
        self.version = 0
        self._many = many
        self._token = token_for(name, ttl_seconds=TOKEN_SECONDS)
        self._client: Client | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._behind = False

    @property
    def is_online(self) -> bool:
        return self._client is not None

    async def connect(self) -> None:
        """Raises `OSError`."""
        self._client = await Client.connect(self._many.push_port, self._token, self._hear, self._lost)

    async def catch_up(self) -> None:
        """Request all changes since its version, until it has them."""
        self._behind = True
        while self._behind:
            self._behind = False  # unless it hears meanwhile that it is up to date
            answer = await self._many.ask(f"/v1/inbox/changes?since={self.version}", self._token)
            if answer is not None:
                self.version = max(self.version, answer["version"])
            else:
                await asyncio.sleep(SYNC_RETRY_SECONDS * random.uniform(0.5, 1))
            self._behind |= answer is None or answer["more"]

    def leave(self) -> None:
        if self._client:
            self._client.close()

    def _hear(self, event: bytes) -> None:
        name, said = json.loads(event)
        version = said.get("version", 0)
        if name == "notification" and version == self.version + 1:
            self.version = version
        elif name == "sync" or version > self.version:
            self._sync()

    def _lost(self) -> None:
        self._client = None
        self._many.spawn(self._come_back())

    async def _come_back(self) -> None:
        """Reconnect as client/inbox.py does: at a random time within this many seconds, later if that fails."""
        within = RECONNECT_WITHIN_SECONDS
        delay = within / 2
        while not self.is_online:
            await asyncio.sleep(delay + random.uniform(-0.5, 0.5) * within)
            delay = min(delay * 2, within * 3)
            with contextlib.suppress(OSError):
                await self.connect()
        self._sync()

    def _sync(self) -> None:
        self._behind = True
        if self._syncing is None or self._syncing.done():
            self._syncing = self._many.spawn(self.catch_up())


class Many:
    """All of them. `asked` has the times of their requests, in seconds of `time.monotonic`."""

    def __init__(self, api_url: str, push_url: str, names: Sequence[str]) -> None:
        self.push_port = urlsplit(push_url).port or 0
        self.asked: list[float] = []
        self.people = [Somebody(self, name) for name in names]
        self._pool = Pool(urlsplit(api_url).port or 0, ASKING)
        self._ways: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="many", daemon=True)

    @contextmanager
    def online(self) -> Iterator[None]:
        """Connect all of them for the duration of the block."""
        self._thread.start()
        try:
            self._do(self._connect())
            yield
        finally:
            self._do(self._leave())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def have(self, version: int) -> bool:
        """Whether all are connected, and at this version or later."""
        return all(person.is_online and person.version >= version for person in self.people)

    def busiest_second(self, since: float) -> int:
        """The largest number of requests in one second."""
        moments = sorted(moment for moment in self.asked if moment > since)
        begin = most = 0
        for end, moment in enumerate(moments):
            while moments[begin] <= moment - 1:
                begin += 1
            most = max(most, end - begin + 1)
        return most

    def spawn(self, way: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = self._loop.create_task(way)
        self._ways.add(task)
        task.add_done_callback(self._ways.discard)
        return task

    async def ask(self, path: str, token: str) -> dict[str, Any] | None:
        """The answer, or None if the API refuses or does not listen."""
        self.asked.append(time.monotonic())
        with contextlib.suppress(OSError):
            answer = await self._pool.ask(get(path, token))
            if answer.status == 200:
                return dict(json.loads(answer.body))
        return None

    async def _connect(self) -> None:
        turn = asyncio.Semaphore(AT_ONCE)

        async def connect(person: Somebody) -> None:
            async with turn:
                await person.connect()
                await person.catch_up()

        await asyncio.gather(*map(connect, self.people))

    async def _leave(self) -> None:
        for person in self.people:
            person.leave()
        for way in list(self._ways):
            way.cancel()
        self._pool.close()

    def _do(self, step: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(step, self._loop).result()


def most_by_chance(clients: int, down_seconds: float) -> float:
    """The most requests in one second that chance explains, if the server was down for `down_seconds`.

    First attempts are uniform over `RECONNECT_WITHIN_SECONDS`. A client that tried while the server was down tries
    again, uniform over as many seconds, while others try for the first time: that is the mean. The number within a
    second is binomial, so its variance is at most its mean.
    """
    within = RECONNECT_WITHIN_SECONDS
    mean = clients / within * (1 + min(down_seconds / within, 1))
    return mean + SIGMAS * math.sqrt(mean)

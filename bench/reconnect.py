"""reconnect: the push server is killed under load and started again; all clients reconnect and catch up by the API."""

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.house import Costs, House, token
from bench.http import Pool
from bench.options import number
from bench.people import AT_ONCE, Crowd, Person
from bench.posts import Posts, posting
from bench.report import Figure, say

RETRY = 0.25, 0.75  # seconds before each attempt of a client, the first included
BEFORE = 3.0  # seconds of posts before the kill
AFTER = 1.0  # seconds of posts after all have caught up
PATIENCE = 120.0
POLL = 0.05


@dataclass(frozen=True)
class Options:
    clients: int = number(2_000, most=10_000)
    rate: int = number(100, most=10_000, help="posts a second")


QUICK = Options(clients=500, rate=50)


class Return:
    """The times at which each client was connected again and had caught up."""

    def __init__(self, house: House, names: list[str]) -> None:
        self.crowd = Crowd(house, names, on_loss=self._lost, on_sync=self._told_to_sync)
        self.back: dict[str, float] = {}
        self.caught_up: dict[str, float] = {}
        self.told_to_sync = 0
        self._pool = Pool(house.api_port, AT_ONCE)
        self._ways: set[asyncio.Task[None]] = set()

    def forget(self) -> None:
        """Reset: no client is back."""
        self.back.clear()
        self.caught_up.clear()

    async def all_look(self) -> None:
        """Load every inbox, as clients do when they first connect."""
        await asyncio.gather(*(person.catch_up(self._pool) for person in self.crowd.people.values()))

    async def until_all_caught_up(self) -> None:
        """Raises `TimeoutError` if some do not."""
        async with asyncio.timeout(PATIENCE):
            while len(self.caught_up) < len(self.crowd.people):
                await asyncio.sleep(POLL)
            await asyncio.gather(*self._ways)  # clients that were told to sync meanwhile

    def close(self) -> None:
        for way in self._ways:
            way.cancel()
        self._pool.close()

    def _lost(self, person: Person) -> None:
        self.back.pop(person.name, None)
        self.caught_up.pop(person.name, None)
        self._go(self._come_back(person))

    def _told_to_sync(self, person: Person) -> None:
        self.told_to_sync += person.name in self.back
        self._go(self._catch_up(person))

    def _go(self, way: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(way)
        self._ways.add(task)
        task.add_done_callback(self._ways.discard)

    async def _come_back(self, person: Person) -> None:
        while person.name not in self.back:
            await asyncio.sleep(random.uniform(*RETRY))
            with contextlib.suppress(OSError):
                await self.crowd.connect(person)
                self.back[person.name] = perf_counter()
        await self._catch_up(person)

    async def _catch_up(self, person: Person) -> None:
        while True:
            with contextlib.suppress(OSError):
                await person.catch_up(self._pool)
                self.caught_up[person.name] = perf_counter()
                return
            await asyncio.sleep(random.uniform(*RETRY))


async def measure(house: House, options: Options) -> list[Figure]:
    names = [f"user{n}" for n in range(options.clients)]
    posts = Posts(token("shop", "notify"), names)
    way_back = Return(house, names)
    push = house.stack["push"]
    async with way_back.crowd as crowd:
        await way_back.all_look()
        async with posting(house.api_port, posts, options.rate) as posted:
            await asyncio.sleep(BEFORE)
            say("push is killed, and started again")
            costs, killed = Costs(house, anew=["push"]), perf_counter()
            push.kill()
            way_back.forget()
            await asyncio.to_thread(push.start)
            started = perf_counter()
            await way_back.until_all_caught_up()
            spent = costs.each(options.clients, "return, posts meanwhile included")
            say("all have caught up")
            await asyncio.sleep(AFTER)
        await crowd.expect([(n, posts.recipient(n)) for n in posted.accepted])
    way_back.close()
    return [
        Figure("push is ready again", started - killed, "s"),
        Figure("all are back", max(way_back.back.values()) - killed, "s"),
        Figure("all have caught up", max(way_back.caught_up.values()) - killed, "s"),
        Figure("told to sync after their return", way_back.told_to_sync),
        Figure("not accepted", posted.refused),
        *spent,
        *crowd.faults(),
    ]

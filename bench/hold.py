"""hold: the cost of open connections, and the rate at which one push server emits announcements."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bench.announce import name_of
from bench.house import Costs, House, token
from bench.meter import memory_kib
from bench.options import number
from bench.people import in_turns
from bench.report import Figure, say
from bench.socketio_client import Client
from dev.stack import ROOT

FIRST = 10  # clients that connect before the measurement of the others begins
SETTLE = 1.0
IDLE_SECONDS = 5.0
BROADCASTS_TOGETHER = 10
PATIENCE = 60.0  # seconds for a round; what is missing then counts as dropped
POLL = 0.02


@dataclass(frozen=True)
class Options:
    clients: int = number(5_000, most=12_000)
    rounds: int = number(4, most=1_000, help="rounds of ten broadcasts, or of one announcement for each client")


QUICK = Options(clients=1_000, rounds=2)


class Ears:
    """Clients with one shared count of the events that they receive."""

    def __init__(self, house: House) -> None:
        self.clients: list[Client] = []
        self.heard = self.hung_up = 0
        self.last = 0.0
        self._port = house.push_port

    async def grow(self, size: int) -> None:
        await in_turns(self._connect(place) for place in range(len(self.clients), size))

    async def until_heard(self, count: int) -> None:
        end = perf_counter() + PATIENCE
        while self.heard < count and perf_counter() < end:
            await asyncio.sleep(POLL)

    def close(self) -> None:
        for client in self.clients:
            client.close()

    async def _connect(self, place: int) -> None:
        name = name_of(place)
        self.clients.append(await Client.connect(self._port, token(name), self._hear, self._note_loss))

    def _hear(self, event: bytes) -> None:
        if event.startswith(b'["notification"'):
            self.heard += 1
            self.last = perf_counter()

    def _note_loss(self) -> None:
        self.hung_up += 1


class Announcing:
    """The announcing process: takes a request, answers the time at which it began."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def order(self, **order: Any) -> float:
        writer, reader = self._process.stdin, self._process.stdout
        assert writer
        assert reader
        writer.write(json.dumps(order).encode() + b"\n")
        return float(json.loads(await reader.readline())["began"])


async def measure(house: House, options: Options) -> list[Figure]:
    ears = Ears(house)
    try:
        async with announcing(house) as announcer:
            return [
                *await _connections(house, ears, options.clients),
                *await _broadcasts(house, ears, announcer, options.rounds),
                *await _own(house, ears, announcer, options.rounds),
                Figure("hung up on", ears.hung_up),
            ]
    finally:
        ears.close()


@asynccontextmanager
async def announcing(house: House) -> AsyncIterator[Announcing]:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "bench.announce"]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, env=house.stack.environ, cwd=ROOT)
    try:
        yield Announcing(process)
    finally:
        process.kill()
        await process.wait()


async def _connections(house: House, ears: Ears, clients: int) -> list[Figure]:
    push = house.stack["push"].pid
    await ears.grow(min(FIRST, clients))
    before, costs = memory_kib(push), Costs(house)
    say(f"{clients:,} clients connect")
    started = perf_counter()
    first = len(ears.clients)
    await ears.grow(clients)
    seconds, more = perf_counter() - started, max(1, clients - first)
    await asyncio.sleep(SETTLE)
    connecting = costs.each(more, "connect", ["push"])
    memory = memory_kib(push) - before
    say(f"{IDLE_SECONDS:.0f} s of silence")
    costs = Costs(house)
    await asyncio.sleep(IDLE_SECONDS)
    return [
        Figure("memory of a connection", memory / more, "KiB"),
        Figure("memory of push with all of them", memory_kib(push) / 1024, "MiB"),
        Figure("connected", more / seconds, "/s"),
        *connecting,
        *costs.each(round(IDLE_SECONDS), "second of silence", ["push"]),
    ]


async def _broadcasts(house: House, ears: Ears, announcer: Announcing, rounds: int) -> list[Figure]:
    say("broadcasts")
    each = BROADCASTS_TOGETHER * len(ears.clients)
    orders = [{"kind": "broadcast", "times": BROADCASTS_TOGETHER}] * (rounds + 1)
    return await _rounds(house, ears, announcer, orders, each, "broadcast's delivery")


async def _own(house: House, ears: Ears, announcer: Announcing, rounds: int) -> list[Figure]:
    say("an announcement of its own to each client")
    each = len(ears.clients)
    orders = [{"kind": "own", "people": each, "version": turn + 1} for turn in range(rounds + 1)]
    return await _rounds(house, ears, announcer, orders, each, "client's own announcement")


async def _rounds(
    house: House, ears: Ears, announcer: Announcing, orders: list[dict[str, Any]], each: int, what: str
) -> list[Figure]:
    """The first round warms up. A round begins when all clients have received the last one."""
    await _round(ears, announcer, orders[0], each)
    costs = Costs(house)
    done = [await _round(ears, announcer, order, each) for order in orders[1:]]
    heard, seconds = sum(heard for heard, _ in done), sum(seconds for _, seconds in done)
    return [
        Figure(f"{what}: rate", heard / seconds, "/s"),
        *costs.each(heard, what, ["push", "broker"]),
        Figure(f"{what}: missed", each * len(done) - heard),
    ]


async def _round(ears: Ears, announcer: Announcing, order: dict[str, Any], each: int) -> tuple[int, float]:
    """The number of deliveries, and their seconds."""
    before = ears.heard
    began = await announcer.order(**order)
    await ears.until_heard(before + each)
    return ears.heard - before, ears.last - began

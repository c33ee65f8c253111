"""Connected recipients: what reached each of them, and whether it arrived completely, once and in order.

Notifications carry a number in `data.n`.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Self

from bench.house import House, token
from bench.http import Pool, get
from bench.report import Figure, say
from bench.socketio_client import Client

AT_ONCE = 32  # that connect or catch up at a time
PATIENCE = 20.0  # seconds without an arrival, after which the rest is fetched: by then the relay has run
POLL = 0.05
SAY_EVERY = 5.0


class Person:
    """One recipient: the notifications that arrived, by number, and the version up to which nothing is missing."""

    def __init__(self, name: str, on_sync: "Callable[[Person], None]") -> None:
        self.name = name
        self.token = token(name)
        self.on_sync = on_sync
        self.client: Client | None = None
        self.arrived: dict[int, float] = {}  # number -> time
        self.repeated = self.disordered = self.doubled = 0
        self.whole = self._latest = 0
        self._ahead: set[int] = set()
        self._heard: set[int] = set()  # versions that came by the socket

    def hear(self, event: bytes) -> None:
        """Handle an event of the socket, as JSON text."""
        name, payload = json.loads(event)
        if name == "notification":
            version = payload["version"]
            self.repeated += version in self._heard
            self.disordered += version < self._latest and not self._knows(version)
            self._heard.add(version)
            self._note(payload)
        elif name == "sync":
            self.on_sync(self)

    async def catch_up(self, pool: Pool) -> None:
        """Fetch all changes since `whole`. Raises `OSError` if the API does not listen."""
        more = True
        while more:
            answer = await pool.ask(get(f"/v1/inbox/changes?since={self.whole}", self.token))
            if answer.status != 200:
                raise ConnectionError(f"the changes of {self.name}: {answer.status} {answer.body!r}")
            found = json.loads(answer.body)
            for change in found["changes"]:
                self._note(change)
            more = found["more"]

    @property
    def unheard(self) -> int:
        """The number of notifications that came by the API and not by the socket."""
        return self.whole + len(self._ahead) - len(self._heard)

    def _knows(self, version: int) -> bool:
        return version <= self.whole or version in self._ahead

    def _note(self, change: dict[str, Any]) -> None:
        version, number = change["version"], change["item"]["data"]["n"]
        if self._knows(version):
            return
        self.doubled += number in self.arrived
        self.arrived.setdefault(number, perf_counter())
        self._latest = max(self._latest, version)
        self._ahead.add(version)
        while self.whole + 1 in self._ahead:
            self.whole += 1
            self._ahead.discard(self.whole)


class Crowd:
    """The connected recipients, for the duration of the `async with` block.

    `on_loss` is called for a recipient whose connection the server closed, `on_sync` for one that is told to sync.
    """

    def __init__(
        self,
        house: House,
        names: Iterable[str],
        on_loss: Callable[[Person], None] = lambda _: None,
        on_sync: Callable[[Person], None] = lambda _: None,
    ) -> None:
        self.people = {name: Person(name, on_sync) for name in names}
        self.lost = 0  # of those that were expected
        self._house = house
        self._on_loss = on_loss

    async def __aenter__(self) -> Self:
        say(f"{len(self.people):,} people connect")
        await in_turns(self.connect(person) for person in self.people.values())
        self._saying = asyncio.create_task(self._say_what_arrived())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._saying.cancel()
        for person in self.people.values():
            if person.client:
                person.client.close()

    @property
    def arrivals(self) -> int:
        return sum(len(person.arrived) for person in self.people.values())

    async def expect(self, wanted: Sequence[tuple[int, str]]) -> float:
        """Wait until each number has reached its recipient. Returns the time of the last one that came by a socket.

        What the sockets do not bring in time is fetched from the API; what is missing there is lost.
        """
        await self._wait(wanted)
        last = max((self.people[name].arrived.get(number, 0) for number, name in wanted), default=perf_counter())
        missing = {name for number, name in wanted if number not in self.people[name].arrived}
        if missing:
            say(f"{len(missing):,} people miss something and ask the API")
            await self._catch_up(missing)
        self.lost += sum(number not in self.people[name].arrived for number, name in wanted)
        return last

    async def _catch_up(self, names: Iterable[str]) -> None:
        pool = Pool(self._house.api_port, AT_ONCE)
        await in_turns(self.people[name].catch_up(pool) for name in names)
        pool.close()

    def faults(self, of: str = "") -> list[Figure]:
        """The faults. All but the first two are harmless to a client that fetches what a gap shows to be missing."""
        people = self.people.values()
        return [
            Figure(f"{of}lost", self.lost),
            Figure(f"{of}doubled", sum(one.doubled for one in people)),
            Figure(f"{of}out of order at the socket", sum(one.disordered for one in people)),
            Figure(f"{of}announced twice", sum(one.repeated for one in people)),
            Figure(f"{of}not announced, found in the inbox", sum(one.unheard for one in people)),
        ]

    async def connect(self, person: Person) -> None:
        """Raises `OSError` if the server does not listen, or refuses."""
        lost = partial(self._on_loss, person)
        person.client = await Client.connect(self._house.push_port, person.token, person.hear, lost)

    async def _wait(self, wanted: Sequence[tuple[int, str]]) -> None:
        missing = sorted(wanted, reverse=True)
        arrivals, until = -1, 0.0
        while missing:
            if perf_counter() > until:
                if self.arrivals == arrivals:
                    break
                arrivals, until = self.arrivals, perf_counter() + PATIENCE
            await asyncio.sleep(POLL)
            while missing and missing[-1][0] in self.people[missing[-1][1]].arrived:
                missing.pop()

    async def _say_what_arrived(self) -> None:
        said = 0
        while True:
            await asyncio.sleep(SAY_EVERY)
            if self.arrivals != said:
                said = self.arrivals
                say(f"{said:,} have arrived")


async def in_turns(steps: Iterable[Coroutine[Any, Any, object]]) -> None:
    """Run all of them, a few at a time. The first failure ends it."""
    waiting = iter(steps)

    async def one_after_another() -> None:
        for step in waiting:
            await step

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_after_another())

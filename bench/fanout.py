"""fanout: one notification for many recipients, some of them online, while single notifications are posted."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import md5
from time import perf_counter
from typing import Any, LiteralString

import psycopg

from bench.house import Costs, House, token
from bench.http import Connection, send
from bench.meter import forget_peak, peak_memory_kib
from bench.options import number, numbers
from bench.people import Crowd
from bench.posts import ACCEPTED, Posting, Posts, content, posting
from bench.report import Figure, latencies, say

Database = psycopg.AsyncConnection[tuple[Any, ...]]

WIDE = 1_000_000_000  # numbers of broadcasts begin here; those of single notifications are smaller
WARM_UP = 300  # recipients
SINGLES = 50  # people who receive single notifications
ALONE = 0.5  # seconds of single notifications before
POLL = 0.02
POLL_SHARE = 0.01  # of the elapsed time: exact enough, and cheap when it takes long
PATIENCE = 60.0  # seconds in which a fan-out must make progress
SAY_EVERY = 5.0

# Ids in no order, like those of applications; `Audience.some` computes the same ones.
_NAMES = "SELECT md5(%(topic)s || '-' || n) AS name FROM generate_series(1, %(count)s) n ORDER BY 1"
_INBOXES = f"""
INSERT INTO inboxes (recipient_id, version, unread, unseen, changes_since, opened_at)
SELECT name, 0, 0, 0, 0, now() FROM ({_NAMES}) names
"""
_SUBSCRIPTIONS = f"""
INSERT INTO subscriptions (topic, recipient_id, created_at) SELECT %(topic)s, name, now() FROM ({_NAMES}) names
"""


@dataclass(frozen=True)
class Options:
    sizes: tuple[int, ...] = numbers(
        1_000, 10_000, 100_000, 1_000_000, most=2_000_000, help="sizes of the audiences; the largest is everyone"
    )
    online: int = number(1_000, most=10_000, help="recipients that are online")
    rate: int = number(100, most=10_000, help="single notifications a second, posted meanwhile")


QUICK = Options(sizes=(1_000, 10_000), online=200)


@dataclass(frozen=True)
class Audience:
    """The subscribers of one topic; with `everyone`, all recipients."""

    topic: str
    own: int
    others: int = 0
    everyone: bool = False

    @property
    def label(self) -> str:
        return f"{self.own + self.others:,}"

    @property
    def whom(self) -> dict[str, object]:
        return {"everyone": True} if self.everyone else {"topic": self.topic}

    def some(self, count: int) -> list[str]:
        return [md5(f"{self.topic}-{n}".encode()).hexdigest() for n in range(1, 1 + min(count, self.own))]


def audiences_of(sizes: Iterable[int]) -> list[Audience]:
    """The audiences in order: the first warms up, the last is everyone."""
    *smaller, most = sorted(set(sizes))
    topics = [Audience("warm-up", WARM_UP), *(Audience(f"topic-{size}", size) for size in smaller)]
    others = sum(one.own for one in topics)
    return [*topics, Audience("everyone", max(1, most - others), others, everyone=True)]


async def measure(house: House, options: Options) -> list[Figure]:
    audiences = audiences_of(options.sizes)
    say(f"{audiences[-1].label} recipients are made")
    await asyncio.to_thread(_populate, house.database_url, audiences)
    names = [f"single{n}" for n in range(SINGLES)]
    async with Crowd(house, names) as singles:
        posts = Posts(token("shop", "notify"), names)
        fan_outs = [FanOut(house, options, singles, posts, one, n) for n, one in enumerate(audiences, WIDE)]
        await fan_outs[0].measure()
        figures = [figure for one in fan_outs[1:] for figure in await one.measure()]
        return [*figures, *singles.faults("single notifications: ")]


class FanOut:
    """One notification for an audience of which some are online, while other people receive single notifications."""

    def __init__(
        self, house: House, options: Options, singles: Crowd, posts: Posts, audience: Audience, number: int
    ) -> None:
        self._house = house
        self._options = options
        self._singles = singles
        self._posts = posts
        self._audience = audience
        self._number = number

    async def measure(self) -> list[Figure]:
        label, names = self._audience.label, self._audience.some(self._options.online)
        workers = [one.pid for one in self._house.stack.processes.values() if "worker" in one.command]
        async with Crowd(self._house, names) as online, await _connected(self._house.database_url) as database:
            say(f"one notification for {label}")
            async with posting(self._house.api_port, self._posts, self._options.rate) as posted:
                await asyncio.sleep(ALONE)
                for worker in workers:
                    forget_peak(worker)
                expected, costs, began = await self._expected(database), Costs(self._house), perf_counter()
                notification_id = await self._publish()
                committed = await _until_committed(database, notification_id)
                spent = costs.each(expected, f"recipient of {label}, single notifications included")
                last = await online.expect([(self._number, name) for name in names])
            waits = await self._waits(posted, began, max(committed, last))
            online.lost = max(online.lost, expected - await _items(database, notification_id))
            return [
                Figure(f"{label}: all are committed", committed - began, "s"),
                Figure(f"{label}: the last who is online has it", last - began, "s"),
                *spent,
                Figure(f"{label}: worker's peak memory", max(map(peak_memory_kib, workers)) / 1024, "MiB"),
                Figure(f"{label}: single notifications meanwhile", len(waits)),
                *latencies(f"{label}: of those, post → socket", waits),
                *online.faults(f"{label}: "),
            ]

    async def _publish(self) -> str:
        connection = await Connection.open(self._house.api_port)
        body = {**self._audience.whom, **content(self._number)}
        answer = await connection.ask(send("POST", "/v1/notifications", token("shop", "notify"), body))
        connection.close()
        if answer.status != ACCEPTED:
            raise SystemExit(f"the notification for {self._audience.label} was answered with {answer.status}")
        return str(json.loads(answer.body)["id"])

    async def _waits(self, posted: Posting, began: float, ended: float) -> list[float]:
        """Seconds from post to socket of the single notifications that were posted between these times."""
        await self._singles.expect([(n, self._posts.recipient(n)) for n in posted.accepted])
        arrived = {n: at for one in self._singles.people.values() for n, at in one.arrived.items()}
        meanwhile = {n: one.at for n, one in posted.accepted.items() if began <= one.at <= ended}
        return [arrived[n] - at for n, at in meanwhile.items() if n in arrived]

    async def _expected(self, database: Database) -> int:
        everyone = "SELECT count(*) FROM inboxes"  # the recipients of single notifications among them
        return await _number(database, everyone) if self._audience.everyone else self._audience.own


def _populate(url: str, audiences: Sequence[Audience]) -> None:
    with psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor) as database:
        for one in audiences:
            values = {"topic": one.topic, "count": one.own}
            database.execute(_INBOXES.encode(), values)
            if not one.everyone:
                database.execute(_SUBSCRIPTIONS.encode(), values)
        database.execute("VACUUM (ANALYZE) inboxes, subscriptions")
        database.execute("CHECKPOINT")


async def _connected(url: str) -> Database:
    return await psycopg.AsyncConnection.connect(url, autocommit=True)


async def _until_committed(database: Database, notification_id: str) -> float:
    """The time at which the last item was committed. Ends the benchmark if nothing moves."""
    state = "SELECT recipient_count, delivered_at IS NOT NULL FROM notifications WHERE id = %s"
    began = moved = said = perf_counter()
    reached = -1
    while True:
        row = await (await database.execute(state, [notification_id])).fetchone()
        if row is None or row[1]:
            return perf_counter()
        if row[0] != reached:
            reached, moved = row[0], perf_counter()
        if perf_counter() - moved > PATIENCE:
            raise SystemExit(f"the fan-out stands still at {reached:,}")
        if perf_counter() - said > SAY_EVERY:
            said = perf_counter()
            say(f"{reached:,} are committed")
        await asyncio.sleep(max(POLL, (perf_counter() - began) * POLL_SHARE))


async def _items(database: Database, notification_id: str) -> int:
    return await _number(database, "SELECT count(*) FROM inbox_items WHERE notification_id = %s", notification_id)


async def _number(database: Database, query: LiteralString, *values: str) -> int:
    row = await (await database.execute(query, values)).fetchone()
    return int(row[0]) if row else 0

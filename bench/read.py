"""`make bench-read`: the cost of reading an inbox among five million items, in CPU of the API and of PostgreSQL.

Starts a private PostgreSQL and RabbitMQ, fills a database, starts one API process, and asks it.
Takes about four minutes, ends by itself, and leaves nothing but bench/results/.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import cycle

from bench.dataset import Mixture, fill
from bench.house import Ground, end_when_told, prepared_ground, token
from bench.http import Sent, drive, get
from bench.meter import cpu_ms
from bench.report import percentile, remember, say
from bench.scenes import Scene, scenes
from dev.embedded import migrate
from dev.processes import Process, free_port
from dev.stack import ROOT, answers, command_environment, procfile
from tests.support.fresh import fresh_database, fresh_vhost
from tests.support.stack import SECRET

AT_MOST_SECONDS = 900  # seconds; longer means that something hangs
STATES = "CASE WHEN seq > 980000 THEN 'unseen' WHEN mod(seq, 10) = 0 THEN 'archived' ELSE 'read' END"
MIXTURE = Mixture(heavy_items=1_000_000, heavy_state=STATES, others=100_000, items_each=40, full=160)

CONNECTIONS = 4  # enough to keep one process busy
WARM_UP_SECONDS = 2.0
SECONDS = 5.0
WARM_UP_SHARE = 0.1  # for requests that can be sent only once


@dataclass(frozen=True)
class Row:
    """The cost of one kind of request; CPU in milliseconds a request."""

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    api_ms: float
    postgresql_ms: float


@dataclass(frozen=True)
class Asked:
    """A server, and the processes whose CPU is counted: the server and PostgreSQL."""

    port: int
    pids: dict[str, int]

    async def measure(self, scene: Scene) -> Row:
        requests = scene.requests
        warming = round(len(requests) * WARM_UP_SHARE) if scene.once else len(requests)
        await self._drive(requests[:warming], scene.once, WARM_UP_SECONDS)
        before = cpu_ms(self.pids)
        sent = await self._drive(requests[warming:] if scene.once else requests, scene.once, SECONDS)
        after = cpu_ms(self.pids)
        if {one.status for one in sent} != {200}:
            raise SystemExit(f"{scene.name}: not all were answered with 200")
        seconds = max(one.answered for one in sent) - min(one.at for one in sent)
        p50, p99 = (percentile([one.answered - one.at for one in sent], rank) * 1000 for rank in (50, 99))
        api, postgresql = ((after[name] - before[name]) / len(sent) for name in self.pids)
        return Row(scene.name, len(sent) / seconds, p50, p99, api, postgresql)

    async def _drive(self, requests: list[bytes], once: bool, seconds: float) -> list[Sent]:
        return await drive(self.port, requests if once else cycle(requests), CONNECTIONS, seconds)


@contextmanager
def filled_api(ground: Ground) -> Iterator[Asked]:
    """One API process over five million items."""
    port = free_port()
    with fresh_database(ground.postgresql_url) as database_url, fresh_vhost(ground.rabbitmq) as broker_url:
        settings = {
            "DATABASE_URL": database_url,
            "BROKER_URL": broker_url,
            "JWT_SECRET": SECRET,
            "API_PORT": str(port),
        }
        migrate(settings)
        say("Filling the database with five million items (one to two minutes)")
        fill(database_url, MIXTURE)

        def ready() -> bool:
            return answers(f"http://127.0.0.1:{port}/healthz")

        env = command_environment(settings)
        with Process("api", procfile()["api"], ground.folder / "api.log", ready=ready, env=env, cwd=ROOT) as api:
            yield Asked(port, {"api": api.pid, "PostgreSQL": ground.pids["PostgreSQL"]})


async def run() -> list[Row]:
    say("Starting PostgreSQL and RabbitMQ (ten seconds)")
    with prepared_ground() as ground, filled_api(ground) as api:
        bare = Asked(ground.bare_port, {"bare": ground.bare.pid, "PostgreSQL": ground.pids["PostgreSQL"]})
        rows = [await bare.measure(Scene("a bare Flask answer", [get("/")]))]
        for scene in scenes(MIXTURE, api.port, token):
            say(scene.name)
            rows.append(await api.measure(scene))
    return rows


def table(rows: list[Row]) -> str:
    bare = rows[0].api_ms
    lines = [
        "| request | requests/s | p50 ms | p99 ms | API CPU-ms | × bare | PostgreSQL CPU-ms | × bare |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        speed = f"{row.per_second:,.0f} | {row.p50_ms:.2f} | {row.p99_ms:.2f}"
        cost = f"{row.api_ms:.3f} | {row.api_ms / bare:.1f} | {row.postgresql_ms:.3f} | {row.postgresql_ms / bare:.1f}"
        lines.append(f"| {row.name} | {speed} | {cost} |")
    return "\n".join(lines)


def main() -> None:
    end_when_told(AT_MOST_SECONDS)
    started = time.monotonic()
    rows = asyncio.run(run())
    seconds = time.monotonic() - started
    print(table(rows))
    path = remember("read", {"seconds": round(seconds), "rows": [asdict(row) for row in rows]})
    say(f"{seconds:.0f} seconds; the numbers are in {path}")


if __name__ == "__main__":
    main()

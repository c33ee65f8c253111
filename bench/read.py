"""`make bench-read`: what reading an inbox costs, the API's CPU and PostgreSQL's, among five million items.

Starts a private PostgreSQL and RabbitMQ, fills the database, starts one API process, and asks it from a process apart.
Takes about four minutes, ends by itself, and leaves nothing but bench/results/.
"""

import json
import os
import platform
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from bench.dataset import Mixture, fill
from bench.meter import cpu_ms
from bench.scenes import Scene, scenes
from ops.processes import Process, free_port
from ops.services import Services, running, temporary_folder
from ops.stack import answers, command_environment
from push.tokens import issue

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "bench" / "results"
AT_MOST_SECONDS = 900  # then something is stuck
STATES = "CASE WHEN seq > 980000 THEN 'unseen' WHEN mod(seq, 10) = 0 THEN 'archived' ELSE 'read' END"
MIXTURE = Mixture(heavy_items=1_000_000, heavy_state=STATES, others=100_000, items_each=40, full=160)

CONNECTIONS = 4  # enough to keep one process busy
WARM_UP_SECONDS = 2.0
SECONDS = 5.0
WARM_UP_SHARE = 0.1  # of requests that can be sent only once


@dataclass(frozen=True)
class Row:
    """What one kind of request costs; CPU in milliseconds a request."""

    name: str
    per_second: float
    p50_ms: float
    p99_ms: float
    api_ms: float
    postgresql_ms: float


class Bench:
    """A filled database and one API process over it, with a bare Flask application beside them."""

    def __init__(self, folder: Path, services: Services) -> None:
        self._secret = secrets.token_hex(32)
        self.postgresql = services.postgresql
        self.port, self.bare_port = free_port(), free_port()
        environ = {
            "DATABASE_URL": services.postgresql.url,
            "BROKER_URL": services.rabbitmq.url,
            "JWT_SECRET": self._secret,
            "API_PORT": str(self.port),
        }
        self._environ = command_environment(environ)
        self.api = self._process("api", folder, "-m", "api", port=self.port, ready="/healthz")
        self.bare = self._process("bare", folder, "-m", "bench.bare", str(self.bare_port), port=self.bare_port)

    def migrate(self) -> None:
        command = [sys.executable, "-m", "alembic", "upgrade", "head"]
        subprocess.run(command, env=self._environ, cwd=ROOT, check=True, capture_output=True)

    def token(self, user: str) -> str:
        return issue(self._secret, user, ["inbox"], 3600)

    def calibrate(self) -> Row:
        bare = Scene("a bare Flask answer", ["GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"])
        return self.measure(bare, self.bare, self.bare_port)

    def measure(self, scene: Scene, server: Process, port: int) -> Row:
        requests = scene.requests
        warming = round(len(requests) * WARM_UP_SHARE) if scene.once else len(requests)
        _load(port, requests[:warming], scene.once, WARM_UP_SECONDS)
        before = cpu_ms(server.pid), cpu_ms(self.postgresql.pid)
        found = _load(port, requests[warming:] if scene.once else requests, scene.once, SECONDS)
        api, postgresql = cpu_ms(server.pid) - before[0], cpu_ms(self.postgresql.pid) - before[1]
        if set(found["statuses"]) != {"200"}:
            raise SystemExit(f"{scene.name}: not all were answered with 200, but {found['statuses']}")
        count = found["requests"]
        rate = count / found["seconds"]
        return Row(scene.name, rate, found["p50_ms"], found["p99_ms"], api / count, postgresql / count)

    def _process(self, name: str, folder: Path, *arguments: str, port: int, ready: str = "/") -> Process:
        def is_ready() -> bool:
            return answers(f"http://127.0.0.1:{port}{ready}")

        command = [sys.executable, *arguments]
        return Process(name, command, folder / f"{name}.log", port=port, ready=is_ready, env=self._environ, cwd=ROOT)


def _load(port: int, requests: list[str], once: bool, seconds: float) -> dict[str, Any]:
    order = {"port": port, "requests": requests, "once": once, "connections": CONNECTIONS, "seconds": seconds}
    command = [sys.executable, "-I", str(ROOT / "bench" / "load.py")]
    done = subprocess.run(
        command, input=json.dumps(order), capture_output=True, text=True, check=False, timeout=60 + seconds
    )
    if done.returncode:
        raise SystemExit(f"The load failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextmanager
def _bench() -> Iterator[Bench]:
    with temporary_folder() as folder:
        _say("Starting PostgreSQL and RabbitMQ (ten seconds)")
        with running(folder, fsync=True) as services:
            bench = Bench(folder, services)
            bench.migrate()
            _say("Filling the database with five million items (one to two minutes)")
            fill(services.postgresql.url, MIXTURE)
            with bench.api, bench.bare:
                yield bench


def run() -> list[Row]:
    rows = []
    with _bench() as bench:
        _say("a bare Flask answer")
        rows.append(bench.calibrate())
        for scene in scenes(MIXTURE, bench.port, bench.token):
            _say(scene.name)
            rows.append(bench.measure(scene, bench.api, bench.port))
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


def remember(rows: list[Row], seconds: float) -> Path:
    """Keep the numbers, with what is needed to read them later."""
    now = datetime.now(UTC)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    about = {
        "at": now.isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "seconds": round(seconds),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"read-{now:%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps({**about, "rows": [asdict(row) for row in rows]}, indent=1))
    return path


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _stop)
    signal.alarm(AT_MOST_SECONDS)
    started = time.monotonic()
    rows = run()
    seconds = time.monotonic() - started
    print(table(rows))
    _say(f"{seconds:.0f} seconds; the numbers are in {remember(rows, seconds).relative_to(ROOT)}")


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(f"stopped by {signal.Signals(number).name}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

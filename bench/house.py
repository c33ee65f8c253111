"""The system under test: the processes of `Procfile` on PostgreSQL and RabbitMQ, and the calibration beside it.

A `Ground` is the services and a bare Flask application. Each measurement starts a `House` on it: an empty database, an
empty virtual host, new processes.
"""

import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import FrameType

import jwt
import psutil
import psycopg

from bench.http import drive, get
from bench.meter import cpu_ms
from bench.report import Figure
from dev.processes import Process, free_port
from dev.rabbitmq import RabbitMQ
from dev.services import start_services, temporary_folder
from dev.stack import ROOT, Stack, answers, command_environment
from tests.support.fresh import fresh_database, fresh_vhost
from tests.support.stack import SECRET, start_stack

CALIBRATION_CONNECTIONS = 4  # enough to keep one process busy
CALIBRATION_SECONDS = 1.0
TOKEN_SECONDS = 7200
GENERATOR = "generator"


@dataclass(frozen=True)
class Ground:
    """Running services, by URL and by their first process, and a bare Flask application."""

    folder: Path
    postgresql_url: str
    rabbitmq: RabbitMQ
    pids: dict[str, int]
    bare: Process
    bare_port: int

    async def calibrate(self) -> float:
        """Measure the CPU-milliseconds of one bare Flask answer."""
        before = cpu_ms({"bare": self.bare.pid})["bare"]
        answers = await drive(self.bare_port, repeat(get("/")), CALIBRATION_CONNECTIONS, CALIBRATION_SECONDS)
        return (cpu_ms({"bare": self.bare.pid})["bare"] - before) / len(answers)


def token(user: str, scope: str = "inbox") -> str:
    """A token for a user, or with the scope `notify` for a producer."""
    claims = {"sub": user, "scope": scope, "exp": int(time.time() + TOKEN_SECONDS)}
    return jwt.encode(claims, SECRET, algorithm="HS256")


def end_when_told(at_most_seconds: int) -> None:
    """Raise `SystemExit` on a signal or after this many seconds, so that everything that was started is stopped."""
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(each, _stop)
    signal.alarm(at_most_seconds)


@contextmanager
def prepared_ground(*, private: bool = True) -> Iterator[Ground]:
    """Start private services, or use those that the variables of `make services` name: faster, but shared."""
    with temporary_folder() as folder:
        if private:
            with start_services(folder, fsync=True) as services:
                pids = {"PostgreSQL": services.postgresql.pid, "broker": services.rabbitmq.pid}
                with _bare(folder) as (bare, port):
                    yield Ground(folder, services.postgresql.url, services.rabbitmq, pids, bare, port)
        else:
            url, rabbitmq = os.environ["BELFRY_POSTGRES_URL"], RabbitMQ(Path(os.environ["BELFRY_RABBITMQ_FOLDER"]))
            pids = {"PostgreSQL": _postmaster(url), "broker": int(rabbitmq.evaluate("os:getpid()").strip('"'))}
            with _bare(folder) as (bare, port):
                yield Ground(folder, url, rabbitmq, pids, bare, port)


class House:
    """A running system with an empty database."""

    def __init__(self, ground: Ground, stack: Stack, database_url: str, broker_url: str) -> None:
        self.ground = ground
        self.stack = stack
        self.database_url = database_url
        self.broker_url = broker_url

    @property
    def api_port(self) -> int:
        return int(self.stack.environ["API_PORT"])

    @property
    def push_port(self) -> int:
        return int(self.stack.environ["PUSH_PORT"])

    def cpu(self) -> dict[str, float]:
        """CPU-milliseconds so far, by process, the load generator included."""
        processes = {name: process.pid for name, process in self.stack.processes.items()}
        return {**cpu_ms({**processes, **self.ground.pids}), GENERATOR: time.process_time() * 1000}


@contextmanager
def new_house(ground: Ground) -> Iterator[House]:
    with fresh_database(ground.postgresql_url) as database_url, fresh_vhost(ground.rabbitmq) as broker_url:
        folder = ground.folder / secrets.token_hex(4)
        folder.mkdir()
        with start_stack(folder, database_url, broker_url) as stack:
            yield House(ground, stack, database_url, broker_url)


class Costs:
    """The CPU that a house used since this object was made. Processes that were restarted (`anew`) count in full."""

    def __init__(self, house: House, anew: Sequence[str] = ()) -> None:
        self._house = house
        self._before = {name: 0 if name in anew else used for name, used in house.cpu().items()}

    def each(self, count: int, of: str, concerned: Sequence[str] = ()) -> list[Figure]:
        """CPU for each of this many operations: the sum, each process (or those `concerned`), the load generator.

        The sum leaves out the load generator.
        """
        used = {name: (now - self._before[name]) / max(1, count) for name, now in self._house.cpu().items()}
        generator = used.pop(GENERATOR)
        shown = {name: used[name] for name in concerned} if concerned else used
        rows = {"all processes": sum(used.values()), **shown, f"({GENERATOR})": generator}
        return [Figure(f"CPU of a {of}: {name}", value, "ms") for name, value in rows.items()]


@contextmanager
def _bare(folder: Path) -> Iterator[tuple[Process, int]]:
    port = free_port()
    settings = {  # the load generator uses none of it
        "DATABASE_URL": "sqlite:////nowhere",
        "BROKER_URL": "redis://nowhere",
        "JWT_SECRET": SECRET,
    }
    command = [sys.executable, "-m", "bench.bare", str(port)]
    env = command_environment(settings)

    def ready() -> bool:
        return answers(f"http://127.0.0.1:{port}/")

    with Process("bare", command, folder / "bare.log", port=port, ready=ready, env=env, cwd=ROOT) as process:
        yield process, port


def _postmaster(url: str) -> int:
    with psycopg.connect(url) as connection:
        return int(psutil.Process(connection.info.backend_pid).ppid())


def _stop(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(f"stopped by {signal.Signals(number).name}")

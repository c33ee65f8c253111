"""Private PostgreSQL, RabbitMQ and Redis on free ports.

python -m dev.services                 for development: data in var/services, until Ctrl-C
python -m dev.services run -- CMD …    fresh ones for one command; exits with its code
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from dev.postgresql import PostgreSQL
from dev.processes import Process, StartFailed
from dev.rabbitmq import RabbitMQ
from dev.redis import Redis

DEVELOPMENT = Path("var/services")
PATIENCE = 30.0  # seconds that a command has to end by itself before it is made to


@dataclass(frozen=True)
class Services:
    postgresql: PostgreSQL
    rabbitmq: RabbitMQ
    redis: Redis

    @property
    def all(self) -> tuple[Process, ...]:
        return self.postgresql, self.rabbitmq, self.redis

    @property
    def environment(self) -> dict[str, str]:
        """Where they are; the folder lets another process make virtual hosts, which AMQP cannot."""
        return {
            "BELFRY_POSTGRES_URL": self.postgresql.url,
            "BELFRY_RABBITMQ_URL": self.rabbitmq.url,
            "BELFRY_RABBITMQ_FOLDER": str(self.rabbitmq.folder),
            "BELFRY_REDIS_URL": self.redis.url,
        }


@contextmanager
def running(folder: Path, *, keep: bool = False, fsync: bool = False) -> Iterator[Services]:
    """All three, started side by side in this folder; what was started is stopped on leaving, whatever happened."""
    folder = folder.resolve()
    postgresql = PostgreSQL(folder / "postgresql", fsync=fsync)
    services = Services(postgresql, RabbitMQ(folder / "rabbitmq"), Redis(folder / "redis", keep=keep))
    with ExitStack() as stack:
        for service in services.all:
            stack.callback(service.stop)
        with ThreadPoolExecutor() as pool:
            for start in [pool.submit(service.start) for service in services.all]:
                start.result()
        yield services


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that other accounts may pass through (PostgreSQL's) but not list."""
    folder = Path(tempfile.mkdtemp(prefix="belfry-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def develop(folder: Path) -> int:
    """Keep them running until someone ends us; their data stays."""
    _say(f"Starting PostgreSQL, RabbitMQ and Redis in {folder} (about ten seconds)")
    with running(folder, keep=True, fsync=True) as services:
        for name, value in services.environment.items():
            print(f"export {name}={value}")
        print("# Belfry itself on these: export DATABASE_URL=$BELFRY_POSTGRES_URL BROKER_URL=$BELFRY_RABBITMQ_URL")
        sys.stdout.flush()
        _say("Running; Ctrl-C stops them.")
        while True:
            for service in services.all:
                if not service.running:
                    raise StartFailed(f"{service.name} ended; the end of {service.log}:\n{service.tail()}")
            time.sleep(0.5)


def run(command: Sequence[str]) -> int:
    """Run a command beside fresh services and return its exit code."""
    _say("Starting PostgreSQL, RabbitMQ and Redis for this run (about ten seconds)")
    with temporary_folder() as folder, running(folder) as services:
        with _ended(subprocess.Popen(command, env=os.environ | services.environment)) as process:
            code = process.wait()
        return code if code >= 0 else 128 - code


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """However the block is left, the process has ended."""
    try:
        yield process
    except Stopped as stopped:
        if stopped.number != signal.SIGINT:  # Ctrl-C reached the whole terminal: it is ending already
            process.terminate()
        raise
    finally:
        for insist in (process.terminate, process.kill):
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                insist()
        process.wait()


class Stopped(SystemExit):
    """Someone asked us to end; the exit code is the shell's for this signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # we are cleaning up; a second one would leave something behind
    raise Stopped(number)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    try:
        match arguments:
            case ["run", "--", *command] if command:
                return run(command)
            case []:
                return develop(DEVELOPMENT)
            case [folder] if folder != "run" and not folder.startswith("-"):
                return develop(Path(folder))
    except (StartFailed, FileNotFoundError) as problem:
        _say(str(problem))
        return 1
    _say(str(__doc__))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

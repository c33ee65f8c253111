"""Private PostgreSQL, RabbitMQ and Redis on free ports.

python -m dev.services [FOLDER]        run until Ctrl-C; data in FOLDER, by default var/services
python -m dev.services run -- CMD …    run CMD beside fresh services; exits with its code
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

DEFAULT_FOLDER = Path("var/services")
STOP_TIMEOUT = 30.0  # seconds before a command that should end is killed


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
        """Their URLs. Other processes use RabbitMQ's folder to create virtual hosts, which AMQP cannot do."""
        return {
            "BELFRY_POSTGRES_URL": self.postgresql.url,
            "BELFRY_RABBITMQ_URL": self.rabbitmq.url,
            "BELFRY_RABBITMQ_FOLDER": str(self.rabbitmq.folder),
            "BELFRY_REDIS_URL": self.redis.url,
        }


@contextmanager
def start_services(folder: Path, *, keep: bool = False, fsync: bool = False) -> Iterator[Services]:
    """Start all three at the same time, with their data in this folder; they are stopped on leaving the block."""
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
    """A folder that other accounts, such as PostgreSQL's, may traverse but not list."""
    folder = Path(tempfile.mkdtemp(prefix="belfry-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def serve(folder: Path) -> int:
    """Run the services until this process is stopped; their data stay."""
    _log(f"Starting PostgreSQL, RabbitMQ and Redis in {folder} (about ten seconds)")
    with start_services(folder, keep=True, fsync=True) as services:
        for name, value in services.environment.items():
            print(f"export {name}={value}")
        print("# Belfry itself on these: export DATABASE_URL=$BELFRY_POSTGRES_URL BROKER_URL=$BELFRY_RABBITMQ_URL")
        sys.stdout.flush()
        _log("Running; Ctrl-C stops them.")
        while True:
            for service in services.all:
                if not service.running:
                    raise StartFailed(f"{service.name} ended; the end of {service.log}:\n{service.tail()}")
            time.sleep(0.5)


def run_command(command: Sequence[str]) -> int:
    """Run a command beside fresh services and return its exit code."""
    _log("Starting PostgreSQL, RabbitMQ and Redis for this run (about ten seconds)")
    with temporary_folder() as folder, start_services(folder) as services:
        with _terminating(subprocess.Popen(command, env=os.environ | services.environment)) as process:
            code = process.wait()
        return code if code >= 0 else 128 - code


@contextmanager
def _terminating(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """When the block is left, for whatever reason, the process has ended."""
    try:
        yield process
    except Stopped as stopped:
        if stopped.number != signal.SIGINT:  # Ctrl-C has reached the process too
            process.terminate()
        raise
    finally:
        for end in (process.terminate, process.kill):
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                end()
        process.wait()


class Stopped(SystemExit):
    """A signal asked this process to end; the exit code is the shell's for this signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


def _on_signal(number: int, _frame: FrameType | None) -> None:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # a second signal would interrupt the clean-up
    raise Stopped(number)


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _on_signal)
    try:
        match arguments:
            case ["run", "--", *command] if command:
                return run_command(command)
            case []:
                return serve(DEFAULT_FOLDER)
            case [folder] if folder != "run" and not folder.startswith("-"):
                return serve(Path(folder))
    except (StartFailed, FileNotFoundError) as problem:
        _log(str(problem))
        return 1
    _log(str(__doc__))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Fixtures for real services, fresh for every test: a database, a virtual host, an empty Redis database."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest
import redis
from xdist.workermanage import NodeManager

from dev.processes import Process
from dev.processes import free_port as next_free_port
from dev.rabbitmq import RabbitMQ
from dev.redis import DATABASES, EmbeddedRedis
from dev.services import temporary_folder
from dev.stack import Stack
from tests.support.fresh import fresh_database, fresh_vhost
from tests.support.needs import skip_or_fail
from tests.support.stack import start_stack

TESTS = Path(__file__).parent
SLOW_PATHS = ("browser", "faults", "pipeline", "api/framework/test_overload.py")
# Whole systems, a broker that tests pause and kill, a second API process.
SLOW_FIXTURES = {"stack", "site", "own_broker", "other_process"}

_PROCESSES_MAX = 16  # with more processes of pytest-xdist, two would empty the same Redis database
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES_MAX
_module_redis_database, *_redis_databases = range(_process, DATABASES, _PROCESSES_MAX)
_next_redis_database = itertools.cycle(_redis_databases)


def pytest_configure() -> None:
    # The default action would end pytest without the teardowns, and leave processes running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # pytest-xdist kills a worker after this time; the worker interrupts its test after 5 s and then tears down.
    NodeManager.EXIT_TIMEOUT = 20


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark tests as slow by path and by fixture; other slow tests have the mark in their source."""
    for item in items:
        in_slow_path = any(item.path.is_relative_to(TESTS / path) for path in SLOW_PATHS)
        if in_slow_path or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A fresh, empty PostgreSQL database, dropped afterwards."""
    with fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url:
        yield url


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """A fresh virtual host; it is deleted afterwards, and its connections are closed."""
    with fresh_vhost(RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))) as url:
        yield url


@pytest.fixture
def redis_url() -> str:
    """An empty Redis database. (PUBLISH ignores databases; kombu puts the number into its channels' names.)"""
    return _emptied(next(_next_redis_database))


@pytest.fixture(scope="module")
def module_redis_url() -> str:
    """An empty Redis database that the tests of a module share."""
    return _emptied(_module_redis_database)


def _emptied(redis_database: int) -> str:
    url = urlsplit(demand_service("BELFRY_REDIS_URL"))._replace(path=f"/{redis_database}").geturl()
    with redis.Redis.from_url(url) as connection:
        connection.flushdb()
    return url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A database file that does not exist yet."""
    return f"sqlite:///{tmp_path}/belfry.sqlite"


@pytest.fixture
def free_port() -> Callable[[], int]:
    return next_free_port


@pytest.fixture
def services_folder() -> Iterator[Path]:
    """A folder for private services. Unlike tmp_path, PostgreSQL's account may enter it when root runs the tests."""
    with temporary_folder() as folder:
        yield folder


class StartProcess(Protocol):
    def __call__(
        self,
        name: str,
        *command: str | Path,
        port: int | None = None,
        ready: Callable[[], object] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process: ...


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[StartProcess]:
    """Start commands and wait until they are ready; stop them after the test, and show their logs if it failed."""
    started: list[Process] = []

    def start(
        name: str,
        *command: str | Path,
        port: int | None = None,
        ready: Callable[[], object] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Process:
        process = Process(name, command, tmp_path / f"{len(started)}-{name}.log", port=port, ready=ready, env=env)
        started.append(process)
        process.start()
        return process

    yield start
    for process in reversed(started):
        process.stop()
        print(f"--- the last output of {process.name}:\n{process.tail()}")  # pytest shows it when the test failed


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One system on SQLite and the embedded broker, for all tests that create their own users."""
    folder = tmp_path_factory.mktemp("stack")
    with (
        EmbeddedRedis(folder / "redis.log") as broker,
        start_stack(folder, f"sqlite:///{folder}/belfry.db", broker.url) as stack,
    ):
        yield stack


def demand_service(variable: str) -> str:
    """The variable's value. Without it the test is skipped, or fails if CI=true."""
    if value := os.environ.get(variable):
        return value
    skip_or_fail(f"{variable} is not set; use `make test`, or `make services` and the lines it prints")

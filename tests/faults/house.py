"""The system under test, with its own database and broker, which may be killed, and connections that may be cut."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg

from dev.embedded import migrate
from dev.postgresql import PostgreSQL
from dev.processes import Process, free_port, wait_for
from dev.rabbitmq import RabbitMQ
from dev.services import temporary_folder
from dev.stack import Stack, answers
from tests.faults.proxy import Proxy
from tests.support.stack import SECRET

START_SECONDS = 60.0


class House:
    """api, worker and beat reach database and broker through proxies; two push servers reach the broker directly."""

    def __init__(self, folder: Path, postgresql: PostgreSQL, rabbitmq: RabbitMQ) -> None:
        self.folder = folder
        self.postgresql, self.rabbitmq = postgresql, rabbitmq
        self.to_database, self.to_broker = Proxy(postgresql.port), Proxy(rabbitmq.port)
        self.push_ports = free_port(), free_port()
        environ = {
            "DATABASE_URL": _through(self.to_database, postgresql.url),
            "BROKER_URL": _through(self.to_broker, rabbitmq.url),
            "JWT_SECRET": SECRET,
            "API_PORT": str(free_port()),
            "PUSH_PORT": str(self.push_ports[0]),
        }
        straight = {"BROKER_URL": rabbitmq.url}
        more = {"push": straight, "push-2": {**straight, "PUSH_PORT": str(self.push_ports[1])}}
        self.stack = Stack(folder, environ, more)

    def __getitem__(self, name: str) -> Process:
        return self.stack[name]

    @property
    def api_url(self) -> str:
        return self.stack.api_url

    @property
    def push_urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.push_ports]

    @property
    def services(self) -> list[Process]:
        return [self.postgresql, self.rabbitmq, *self.stack.processes.values()]

    @contextmanager
    def another(self, name: str, **environ: str) -> Iterator[Process]:
        """Run one more process, such as `worker-2`, for the duration of the block."""
        with self.stack.process(name, environ) as process:
            yield process

    @contextmanager
    def instead(self, name: str, *arguments: str, **environ: str) -> Iterator[Process]:
        """Run this process with another environment, or with more arguments, for the duration of the block."""
        with self.without(name), self.stack.process(name, environ, *arguments) as process:
            yield process

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        self[name].stop()
        try:
            yield
        finally:
            self[name].start()

    def query(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        """Query the database directly, without the proxy."""
        with psycopg.connect(self.postgresql.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def see_all_well(self) -> None:
        """Start every process that is not running. Returns when everything is ready."""
        for process in self.services:
            if not process.running:
                process.start()
        addresses = [f"{self.api_url}/readyz", *(f"{url}/readyz" for url in self.push_urls)]
        for address in addresses:
            wait_for(lambda address=address: answers(address), START_SECONDS, address)  # type: ignore[misc]

    def memory(self) -> dict[str, int]:
        """The memory of each process in bytes, its children included."""
        return {name: sum(map(_resident, process.process_tree())) for name, process in self.stack.processes.items()}


@contextmanager
def open_house() -> Iterator[House]:
    """Start everything and wait until it is ready; stop it afterwards."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        postgresql = stack.enter_context(PostgreSQL(folder / "postgresql"))
        rabbitmq = stack.enter_context(RabbitMQ(folder / "rabbitmq"))
        house = House(folder, postgresql, rabbitmq)
        for proxy in (house.to_database, house.to_broker):
            proxy.start()
            stack.callback(proxy.stop)
        migrate(house.stack.environ)
        stack.enter_context(house.stack)
        house.see_all_well()
        yield house


def _through(proxy: Proxy, url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{proxy.port}").geturl()


def _resident(pid: int) -> int:
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.NoSuchProcess:
        return 0

"""Real push servers over real brokers, and people who look at them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.push.clients import Screen, Server
from tests.push.support import PushProcess, push_process


@pytest.fixture(params=["rabbitmq", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    """Tests that use this run over RabbitMQ and over Redis."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def start_push(tmp_path: Path) -> Iterator[Callable[..., PushProcess]]:
    """Starts `python -m push` on a free port, with settings of one's choice."""

    started: list[PushProcess] = []

    def start(broker_url: str, *, ready: str = "/readyz", **settings: str) -> PushProcess:
        server = push_process(broker_url, tmp_path / f"push-{len(started)}.log", ready, settings)
        started.append(server)
        server.process.start()
        return server

    yield start
    for server in started:
        server.process.stop()
        print(f"--- push wrote last:\n{server.process.tail()}")  # pytest shows it when the test failed


@pytest.fixture(scope="module")
def push(module_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushProcess]:
    """One push server for a module's tests, over Redis, which is the quicker one to make ready."""
    log = tmp_path_factory.mktemp("push") / "log"
    server = push_process(module_redis_url, log, settings={"CORS_ORIGINS": "https://app.example"})
    with server.process:
        yield server


@pytest.fixture
def screen() -> Iterator[Callable[..., Screen]]:
    """A screen of somebody, connected to a server until the test ends."""
    opened: list[Screen] = []

    def turn_on(server: Server, owner: str, **options: Any) -> Screen:
        opened.append(Screen(server, owner, **options))
        return opened[-1]

    yield turn_on
    for one in opened:
        one.close()

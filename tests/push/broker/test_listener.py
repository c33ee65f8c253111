"""The listener: hears from the start on, tells clients to sync after every loss, and survives what it hears."""

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pytest

from dev.processes import accepts, free_port, wait_for
from dev.rabbitmq import RabbitMQ
from dev.redis import Redis
from push.broker.announcer import Announcer
from push.broker.consumer import PREFETCH
from tests.conftest import StartProcess
from tests.push.clients import Screen
from tests.push.support import (
    PushProcess,
    added,
    is_ready,
    lose_the_subscription,
    push_environ,
    push_process,
    rabbit,
    vhost_of,
    wait_until_ready,
)

pytestmark = pytest.mark.slow

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]


@pytest.fixture(scope="module", params=[RabbitMQ, Redis])
def own_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ | Redis]:
    """A broker that a test may break; it works again when the test is over."""
    with request.param(tmp_path_factory.mktemp(request.param.__name__)) as broker:
        yield broker


def test_without_a_broker_it_serves_sockets_and_says_that_it_is_not_ready(start_push: Start, screen: Turn) -> None:
    server = start_push(f"amqp://127.0.0.1:{free_port()}", ready="/healthz")
    answer = server.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_ready"
    assert answer.json()["errors"][0]["field"] == "broker"
    bob = screen(server, "bob")
    assert bob.ask("authenticate", {"token": server.token("bob")})["ok"]
    lost = wait_for(lambda: server.log().count("broker_disconnected"), what="the first attempt")
    assert lost < 10
    assert server.get("/healthz").json() == {"status": "ok"}


def test_it_listens_before_the_first_client_comes(start_push: Start, broker_url: str) -> None:
    assert is_ready(start_push(broker_url))


def test_nobody_is_let_in_before_it_hears_and_then_told_to_sync_again(
    tmp_path: Path, own_broker: RabbitMQ | Redis, screen: Turn
) -> None:
    server = push_process(own_broker.url, tmp_path / "log")
    own_broker.pause()
    with ExitStack() as stack:
        stack.callback(server.process.stop)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        try:
            starting = pool.submit(server.process.start)
            wait_for(lambda: accepts(server.port), 90, "the server to be there")
            connecting = pool.submit(screen, server, "bob")
            assert wait([connecting], 1).not_done
        finally:
            own_broker.resume()
        starting.result()
        bob = connecting.result()
        assert server.log().index("broker_connected") < server.log().index("client_connected")
        server.announce(added("bob", 1))
        bob.expect_versions(1)


def test_after_a_restart_of_the_broker_every_screen_is_told_to_sync_and_shown_what_comes(
    start_push: Start, own_broker: RabbitMQ | Redis, screen: Turn
) -> None:
    server = start_push(own_broker.url)
    screens = [screen(server, f"user {number}") for number in range(8)]
    own_broker.kill()
    wait_until_ready(server, ready=False)
    own_broker.start()
    wait_until_ready(server)
    for one in screens:
        assert one.expect("sync", 15) == {"reason": "reconnected"}
    server.announce(*(added(f"user {number}", 1) for number in range(8)))
    for one in screens:
        one.expect_versions(1)


def test_syncs_are_spread_over_a_second_or_more(start_push: Start, redis_url: str, screen: Turn) -> None:
    server = start_push(redis_url)
    times: list[float] = []
    screens = [screen(server, f"user {number}") for number in range(12)]
    for one in screens:
        one.client.on("sync", lambda _: times.append(time.monotonic()))
    lose_the_subscription(redis_url)
    wait_for(lambda: len(times) == len(screens), what="every screen to be told")
    assert max(times) - min(times) > 0.8


def test_a_connection_that_a_live_broker_closes_is_made_again_and_screens_told(
    start_push: Start, broker_url: str, screen: Turn
) -> None:
    server = start_push(broker_url)
    bob = screen(server, "bob")
    lose_the_subscription(broker_url)
    assert bob.expect("sync") == {"reason": "reconnected"}
    server.announce(added("bob", 1))
    bob.expect_versions(1)


def test_a_consumer_that_the_broker_cancels_is_made_again(start_push: Start, rabbitmq_url: str, screen: Turn) -> None:
    server = start_push(rabbitmq_url)
    bob = screen(server, "bob")
    vhost = vhost_of(rabbitmq_url)
    rabbit().evaluate(f'[rabbit_amqqueue:delete(Q, false, false, <<"x">>) || Q <- rabbit_amqqueue:list({vhost})]')
    assert bob.expect("sync") == {"reason": "reconnected"}
    server.announce(added("bob", 1))
    bob.expect_versions(1)


def test_the_queue_is_its_own_dies_with_it_and_is_capped(start_push: Start, rabbitmq_url: str) -> None:
    server = start_push(rabbitmq_url)
    columns = "[name, exclusive, auto_delete, durable, arguments]"
    described = f'lists:flatten(io_lib:format("~0p", [rabbit_amqqueue:info_all({vhost_of(rabbitmq_url)}, {columns})]))'
    queue = rabbit().evaluate(described)
    assert queue.count("belfry.push.") == 1
    for expected in ("{exclusive,true}", "{auto_delete,true}", "{durable,false}"):
        assert expected in queue.replace(" ", "")
    for expected in ("x-max-length", "x-max-length-bytes", "drop-head", "x-message-ttl"):
        assert expected in queue
    consumers = rabbit().evaluate(
        f'lists:flatten(io_lib:format("~0p", [rabbit_amqqueue:consumers_all({vhost_of(rabbitmq_url)})]))'
    )
    assert f"{{prefetch_count,{PREFETCH}}}" in consumers.replace(" ", "")
    server.process.kill()
    wait_for(lambda: rabbit().evaluate(described) == '"[]"', what="the queue to go")


def test_many_messages_pass_one_after_the_other(start_push: Start, broker_url: str, screen: Turn) -> None:
    server = start_push(broker_url)
    bob = screen(server, "bob")
    announcer = Announcer(broker_url)
    for version in range(1, 201):
        announcer.announce([added("bob", version)])
    bob.expect_versions(*range(1, 201))


def test_a_frozen_broker_is_noticed(start_push: Start, own_broker: RabbitMQ | Redis, screen: Turn) -> None:
    server = start_push(own_broker.url)
    bob = screen(server, "bob")
    own_broker.pause()
    try:
        wait_until_ready(server, ready=False)
    finally:
        own_broker.resume()
    assert bob.expect("sync", 30) == {"reason": "reconnected"}


# A push server one of whose background greenlets fails in a way that nobody foresaw.
DYING = """
import push.__main__ as entry
from push.{module} import {name}
def fail(self, *_):
    raise ZeroDivisionError
{name}.{method} = fail
entry.main()
"""


@pytest.mark.parametrize(
    ("module", "name", "method"),
    [
        ("broker.listener", "Listener", "_handle"),
        ("transport.timers", "Timers", "fire_due"),
        ("revocations", "RevocationMonitor", "run"),
    ],
)
def test_a_background_greenlet_that_dies_ends_the_process_with_a_reason(
    start_process: StartProcess, redis_url: str, module: str, name: str, method: str
) -> None:
    port = free_port()
    env = push_environ("s" * 32, redis_url, port)
    code = DYING.format(module=module, name=name, method=method)
    process = start_process("dying", sys.executable, "-c", code, env=env, ready=lambda: True)

    def ends_when_it_hears() -> bool:
        Announcer(redis_url).announce([added("bob", 1)])
        return not process.running

    wait_for(ends_when_it_hears, 90, "the process to end")
    assert process.stop() == 1
    assert "CRITICAL push background_greenlet_died error=ZeroDivisionError" in process.output()

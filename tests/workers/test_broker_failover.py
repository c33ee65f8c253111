"""With several brokers in BROKER_URL every process follows to the one that answers: tasks, announcements, sockets."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pytest

from api.monitoring.health import CHECK_SECONDS
from api.pipeline.enqueue import Enqueuer
from dev.processes import wait_for
from dev.stack import ROOT
from push.broker.announcer import Announcer
from push.broker.consumer import consume
from push.broker.wire import Announcement
from tests.faults.proxy import Proxy
from tests.support.people import Device, Person
from tests.support.redis_servers import sentinel_redis
from tests.support.stack import start_stack
from workers.queues import BROKER_TIMEOUT_SECONDS, DELIVER, DELIVERIES_QUEUE, make_celery

pytestmark = pytest.mark.slow

READ = Announcement("bob", {"version": 1, "change": "read"})
PATIENCE = 40.0


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted and nothing is ever answered, as by a frozen broker."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent_first(rabbitmq_url: str, silent_port: int) -> str:
    """A cluster of two, of which the first never answers."""
    return f"{at_port(rabbitmq_url, silent_port)};{rabbitmq_url}"


def at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()


def waiting(url: str) -> int:
    """The number of tasks that wait to be delivered."""
    with kombu.Connection(url) as connection:
        return int(connection.default_channel.queue_declare(DELIVERIES_QUEUE, passive=True).message_count)


def through(proxy: Proxy, url: str) -> str:
    """The broker at the far end of a wire, and then the broker itself."""
    return f"{at_port(url, proxy.port)};{url}"


def test_everybody_starts_where_only_the_second_broker_is_there(rabbitmq_url: str) -> None:
    url = f"{at_port(rabbitmq_url, 1)};{rabbitmq_url}"
    Enqueuer(url).check()
    assert Enqueuer(url).announce("bob", [1])
    messages = consume(url)
    assert next(messages) is None
    Announcer(url).announce([READ])
    assert next(messages) is not None
    messages.close()


def test_a_task_is_sent_past_a_broker_that_accepts_connections_and_never_answers(
    silent_first: str, rabbitmq_url: str
) -> None:
    make_celery(silent_first).send_task(DELIVER, args=[[]])
    assert waiting(rabbitmq_url) == 1


def test_two_silent_brokers_are_passed_over_to_the_third(silent_first: str, rabbitmq_url: str) -> None:
    silent, good = silent_first.split(";")
    make_celery(f"{silent};{silent}?;{good}").send_task(DELIVER, args=[[]])
    assert waiting(rabbitmq_url) == 1


def test_only_the_first_connection_of_a_process_waits_for_a_silent_broker(silent_first: str) -> None:
    Enqueuer(silent_first).check()
    began = time.monotonic()
    Enqueuer(silent_first).check()
    assert Enqueuer(silent_first).announce("bob", [1])
    messages = consume(silent_first)
    assert next(messages) is None
    Announcer(silent_first).announce([READ])
    assert next(messages) is not None
    messages.close()
    assert time.monotonic() - began < BROKER_TIMEOUT_SECONDS == CHECK_SECONDS


def test_each_broker_is_connected_to_by_its_own_port_and_virtual_host(rabbitmq_url: str, silent_port: int) -> None:
    """Kombu keeps a port of the first URL for a second one that names none."""
    celery = make_celery(f"amqp://127.0.0.1:{silent_port}/first;amqp://127.0.0.1:1/;{rabbitmq_url}")
    celery.send_task(DELIVER, args=[[]])
    assert waiting(rabbitmq_url) == 1


def test_a_system_whose_first_broker_is_silent_is_ready_and_delivers(silent_first: str, services_folder: Path) -> None:
    with ExitStack() as stack:
        database_url = f"sqlite:///{services_folder}/x.db"
        running = stack.enter_context(start_stack(services_folder, database_url, silent_first))
        alice, screen = Person("alice", running), Device("bob", running)
        stack.callback(screen.close)
        alice.message("bob", "hello")
        screen.expect_item(body="hello")
        wait_for(lambda: alice.call("GET", "/readyz").status_code == 200, PATIENCE)
        alice.message("bob", "once more")
        screen.expect_item(body="once more")
        assert alice.call("GET", "/readyz").status_code == 200
        command = [sys.executable, "-m", "workers.health"]
        environ = running.environ
        health = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert health.returncode == 0, health.stderr


def test_tasks_and_screens_follow_when_the_broker_in_use_goes_away(rabbitmq_url: str, services_folder: Path) -> None:
    proxy = Proxy(urlsplit(rabbitmq_url).port or 0)
    proxy.start()
    with ExitStack() as stack:
        url = through(proxy, rabbitmq_url)
        running = stack.enter_context(start_stack(services_folder, f"sqlite:///{services_folder}/x.db", url))
        alice, screen = Person("alice", running), Device("bob", running)
        stack.callback(screen.close)
        alice.message("bob", "before")
        screen.expect_item(body="before")
        proxy.stop()
        for name in ("worker", "push"):
            assert running[name].running
        wait_for(lambda: "broker_disconnected" in running["push"].output(), PATIENCE, "push to lose its broker")
        wait_for(lambda: running["push"].output().count("broker_connected") == 2, PATIENCE, "push to find the other")
        alice.message("bob", "after")
        screen.expect_item(body="after")
        wait_for(lambda: alice.call("GET", "/readyz").status_code == 200, PATIENCE)


def test_tasks_screens_and_rate_limits_follow_the_sentinels_to_another_master(services_folder: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(sentinel_redis(services_folder))
        limits = {"RATE_LIMIT_REDIS_URL": redis.url}
        database_url = f"sqlite:///{services_folder}/x.db"
        running = stack.enter_context(start_stack(services_folder, database_url, redis.url, limits))
        alice, screen = Person("alice", running), Device("bob", running)
        stack.callback(screen.close)
        alice.message("bob", "before")
        screen.expect_item(body="before")
        gone = redis.master_port()
        wait_for(lambda: alice.call("GET", "/readyz").status_code == 200, PATIENCE)
        redis.master.kill()
        redis.wait_for_failover_from(gone)
        wait_for(lambda: alice.call("GET", "/readyz").status_code == 200, PATIENCE, "the API to find the new master")
        wait_for(
            lambda: running["push"].output().count("broker_connected") > 1, PATIENCE, "push to find the new master"
        )
        alice.message("bob", "after")
        wait_for(lambda: [item["body"] for item in screen.arrived].count("after") == 1, PATIENCE, "the message")
        redis.delete_counts()
        wait_for(lambda: alice.call("GET", "/v1/inbox") and redis.counts(), PATIENCE, "the limits to be counted there")


def test_a_sentinel_that_accepts_connections_and_never_answers_is_passed_over(
    services_folder: Path, silent_port: int
) -> None:
    with sentinel_redis(services_folder) as redis:
        silent_first = f"sentinel://127.0.0.1:{silent_port};{redis.url}"
        for _ in range(2):  # it is asked first each time
            started = time.monotonic()
            Enqueuer(silent_first).check()
            assert time.monotonic() - started < CHECK_SECONDS
        assert Enqueuer(silent_first).announce("bob", [1])
        messages = consume(silent_first)
        assert next(messages) is None
        messages.close()


def test_a_sentinel_that_watches_another_redis_is_an_error(services_folder: Path) -> None:
    with sentinel_redis(services_folder) as redis, pytest.raises(Exception, match="No master found"):
        Enqueuer(redis.url.replace("master_name=belfry", "master_name=other")).check()

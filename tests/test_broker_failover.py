"""With several brokers in BROKER_URL every process follows to the one that answers: tasks, announcements, sockets."""

from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.enqueue import Enqueuer
from ops.processes import wait_for
from push.announcer import Announcer
from push.feeds import feed
from push.wire import Announcement
from tests.faults.proxy import Proxy
from tests.support.people import Device, Person
from tests.support.redises import watched_redis
from tests.support.stack import start_stack

pytestmark = pytest.mark.slow

READ = Announcement("bob", {"version": 1, "change": "read"})
PATIENCE = 40.0


def through(proxy: Proxy, url: str) -> str:
    """The broker at the far end of a wire, and then the broker itself."""
    parts = urlsplit(url)
    near = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{proxy.port}").geturl()
    return f"{near};{url}"


def test_everybody_starts_where_only_the_second_broker_is_there(rabbitmq_url: str) -> None:
    parts = urlsplit(rabbitmq_url)
    dead = parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:1").geturl()
    url = f"{dead};{rabbitmq_url}"
    Enqueuer(url).check()
    assert Enqueuer(url).announce("bob", [1])
    messages = feed(url)
    assert next(messages) is None
    Announcer(url).announce([READ])
    assert next(messages) is not None
    messages.close()


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
        wait_for(lambda: "broker_lost" in running["push"].output(), PATIENCE, "push to lose its broker")
        wait_for(lambda: running["push"].output().count("broker_heard") == 2, PATIENCE, "push to find the other")
        alice.message("bob", "after")
        screen.expect_item(body="after")
        wait_for(lambda: alice.call("GET", "/readyz").status_code == 200, PATIENCE)


def test_tasks_screens_and_rate_limits_follow_the_sentinels_to_another_master(services_folder: Path) -> None:
    with ExitStack() as stack:
        redis = stack.enter_context(watched_redis(services_folder))
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
        redis.wait_until_moved_from(gone)
        wait_for(lambda: alice.call("GET", "/readyz").status_code == 200, PATIENCE, "the API to find the new master")
        wait_for(lambda: running["push"].output().count("broker_heard") > 1, PATIENCE, "push to find the new master")
        alice.message("bob", "after")
        wait_for(lambda: [item["body"] for item in screen.arrived].count("after") == 1, PATIENCE, "the message")
        redis.forget_counts()
        wait_for(lambda: alice.call("GET", "/v1/inbox") and redis.counts(), PATIENCE, "the limits to be counted there")


def test_a_sentinel_that_watches_another_redis_is_an_error(services_folder: Path) -> None:
    with watched_redis(services_folder) as redis, pytest.raises(Exception, match="No master found"):
        Enqueuer(redis.url.replace("master_name=belfry", "master_name=other")).check()

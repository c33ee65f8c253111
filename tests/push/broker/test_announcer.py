"""The announcer against real brokers: it hands over in order, or says within moments that it could not."""

import contextlib
import gc
import itertools
import json
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.processes import free_port, wait_for
from dev.rabbitmq import RabbitMQ
from dev.redis import EmbeddedRedis, Redis
from push.broker import wire
from push.broker.announcer import AnnounceFailed, Announcer
from push.broker.wire import Announcement
from tests.push.broker.exchange import listening

Broker = RabbitMQ | Redis | EmbeddedRedis


def added(recipient_id: str, version: int, body: str = "") -> Announcement:
    return Announcement(recipient_id, {"version": version, "change": "added", "item": {"body": body}})


def seconds_to_fail(announcer: Announcer) -> float:
    started = time.monotonic()
    with pytest.raises(AnnounceFailed):
        announcer.announce([added("bob", 1, "x" * 100_000)])
    return time.monotonic() - started


@pytest.fixture(params=["rabbitmq", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="module", params=[RabbitMQ, Redis, EmbeddedRedis])
def own_broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that a test may break; it works again when the test is over."""
    folder: Path = tmp_path_factory.mktemp(request.param.__name__)
    with request.param(folder / "log" if request.param is EmbeddedRedis else folder) as broker:
        yield broker


def test_announcements_arrive_in_order_as_json_that_expires_soon(broker_url: str) -> None:
    sent = [added("bob", version, "☂ " * 300) for version in range(1200)]
    with listening(broker_url) as ear:
        Announcer(broker_url).announce(sent)
        assert ear.hear(1200) == sent
    assert {message.content_type for message in ear.messages} == {"application/json"}
    assert {message.properties["expiration"] for message in ear.messages} == {"10000"}
    assert {message.properties["delivery_mode"] for message in ear.messages} == {1}


def test_a_plain_emit_goes_out_as_socketio_has_it(broker_url: str) -> None:
    with listening(broker_url) as ear:
        Announcer(broker_url).emit("sync", {"reason": "restored"}, room=wire.room_of("bob"))
        message = ear.next_message()
    emitted = json.loads(message.body)
    assert (emitted["method"], emitted["event"], emitted["room"]) == ("emit", "sync", "user:bob")
    assert emitted["data"] == [{"reason": "restored"}]


def test_nothing_to_announce_needs_no_broker() -> None:
    Announcer(f"amqp://127.0.0.1:{free_port()}").announce([])


@pytest.mark.parametrize("url", ["amqp://127.0.0.1:{}", "redis://127.0.0.1:{}", "redis+socket:///nowhere/{}.sock"])
def test_a_refusing_broker_fails_at_once_and_is_then_left_alone(url: str) -> None:
    announcer = Announcer(url.format(free_port()))
    assert seconds_to_fail(announcer) < 0.5
    started = time.monotonic()
    for _ in range(100):
        seconds_to_fail(announcer)
    assert time.monotonic() - started < 1, "each took a while to fail"
    with pytest.raises(AnnounceFailed):
        announcer.emit("sync", {})


def test_eight_threads_at_once_all_arrive_whole_and_each_in_its_order(broker_url: str) -> None:
    announcer = Announcer(broker_url)

    def announced(one: Announcement) -> bool:
        try:
            announcer.announce([one])
        except AnnounceFailed:  # the broker was slow for a second; the message may have gone out all the same
            return False
        return True

    def announce_all(name: str) -> None:
        for version in range(100):
            wait_for(partial(announced, added(name, version, name * 50)), 30, "the announcer")

    with listening(broker_url) as ear:
        threads = [threading.Thread(target=announce_all, args=(f"user-{number}",)) for number in range(8)]
        for thread in threads:
            thread.start()
        heard = ear.hear(800)
        for thread in threads:
            thread.join()
    for number in range(8):
        name = f"user-{number}"
        mine = [one for one, _ in itertools.groupby(one for one in heard if one.recipient_id == name)]
        assert mine == [added(name, version, name * 50) for version in range(100)]


def test_a_forked_child_announces_over_a_connection_of_its_own(broker_url: str) -> None:
    announcer = Announcer(broker_url)
    with listening(broker_url) as ear:
        announcer.announce([added("parent", 1)])
        parents = announcer.publisher_connection
        child = os.fork()
        if child == 0:
            announcer.announce([added("child", 1)])
            os._exit(announcer.publisher_connection is parents)
        assert os.waitpid(child, 0)[1] == 0
        announcer.announce([added("parent", 2)])
        heard = {(one.recipient_id, one.payload["version"]) for one in ear.hear(3)}
    assert heard == {("parent", 1), ("child", 1), ("parent", 2)}


def test_after_a_restart_of_the_broker_the_first_announcement_arrives(own_broker: Broker) -> None:
    announcer = Announcer(own_broker.url)
    announcer.announce([added("bob", 1)])
    own_broker.stop()
    own_broker.start()
    with listening(own_broker.url) as ear:
        announcer.announce([added("bob", 2)])
        assert ear.hear(1) == [added("bob", 2)]


def test_a_killed_broker_fails_at_once_and_works_again_after_its_restart(own_broker: Broker) -> None:
    announcer = Announcer(own_broker.url)
    announcer.announce([added("bob", 1)])
    own_broker.kill()
    assert seconds_to_fail(announcer) < 0.5
    own_broker.start()
    with listening(own_broker.url) as ear:
        _until_announced(announcer, added("bob", 2))
        assert ear.hear(1) == [added("bob", 2)]


def test_a_frozen_broker_fails_in_bounded_time_for_every_thread(own_broker: Broker) -> None:
    connected, fresh = Announcer(own_broker.url), Announcer(own_broker.url)
    connected.announce([added("bob", 1)])
    own_broker.pause()
    try:
        took: list[float] = []
        threads = [
            threading.Thread(target=lambda announcer=announcer: took.append(seconds_to_fail(announcer)))
            for announcer in (connected, connected, connected, fresh, fresh)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(took) == 5
        assert max(took) < 4
        assert seconds_to_fail(connected) < 0.1, "it was not left alone after its failure"
    finally:
        own_broker.resume()
    with listening(own_broker.url) as ear:
        _until_announced(connected, added("bob", 2))
        assert ear.hears(added("bob", 2))


@pytest.mark.parametrize("answers", range(8))
def test_a_broker_that_falls_silent_at_any_point_of_the_conversation_fails_in_bounded_time(
    broker_url: str, answers: int
) -> None:
    """Connecting to RabbitMQ and announcing once takes seven answers; over Redis it takes fewer."""
    with silent_after(answers, broker_url) as url:
        announcer = Announcer(url)
        started = time.monotonic()
        with contextlib.suppress(AnnounceFailed):
            announcer.announce([added("bob", 1)])
        assert time.monotonic() - started < 4


@contextlib.contextmanager
def silent_after(answers: int, broker_url: str) -> Iterator[str]:
    """A proxy in front of the broker that passes on so many answers and then keeps the connection open, silently."""
    parts = urlsplit(broker_url)
    with socket.create_server(("127.0.0.1", 0)) as front:
        proxied = f"{parts.netloc.rpartition(':')[0]}:{front.getsockname()[1]}"
        threading.Thread(target=_pass_on, args=(front, parts.port, answers), daemon=True).start()
        yield parts._replace(netloc=proxied).geturl()


def _pass_on(front: socket.socket, port: int, answers: int) -> None:
    with contextlib.suppress(OSError):
        client, _ = front.accept()
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            while ready := select.select([client, server], [], [], 10)[0]:
                for source in ready:
                    data = source.recv(65536)
                    if not data:
                        return
                    if source is client:
                        server.sendall(data)
                    elif answers > 0:
                        answers -= 1
                        client.sendall(data)


def test_failures_leave_no_open_connections_behind(own_broker: Broker) -> None:
    announcer = Announcer(own_broker.url)
    own_broker.pause()
    try:
        before = _open_files()
        for _ in range(3):
            seconds_to_fail(announcer)
            announcer._circuit.record_success()
        gc.collect()  # kombu's Redis poller lies in a cycle of references
        assert _open_files() <= before + 1
    finally:
        own_broker.resume()


def _until_announced(announcer: Announcer, announcement: Announcement) -> None:
    def announced() -> bool:
        try:
            announcer.announce([announcement])
        except AnnounceFailed:
            return False
        return True

    wait_for(announced, 30, "the broker to take an announcement again")


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd"))

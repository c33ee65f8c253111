"""Invalid messages on the exchange are dropped with one log line, and the next ones are received."""

from collections.abc import Callable, Iterator

import kombu
import pytest
import redis

from push.broker import wire
from tests.push.clients import Screen
from tests.push.support import PushProcess, added, push_process, rabbit

pytestmark = pytest.mark.slow

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"5"),
        ("application/json", b"null"),
        ("application/json", b'["method"]'),
        ("application/json", b'{"method": 5}'),
        ("application/json", b'{"method": "_publish"}'),
        ("application/json", b'{"method": "announce"}'),
        ("application/json", b'{"method": "revoke", "user_id": "bob"}'),
        ("application/json", b'{"method": "revoke", "user_id": ["bob"], "revoked_before": 1}'),
        ("application/json", b'{"method": "arrive", "epoch": "e", "items": [], "recipients": ["bob"]}'),
        ("application/json", b'{"method": "announce", "announcements": [["bob", {}]]}'),
        ("application/json", b'{"method": "emit"}'),
        ("application/json", b'{"method": "emit", "event": "x", "data": [1], "namespace": "/", "room": {"a": []}}'),
        ("application/json", b"[" * 100_000),
        ("application/x-python-serialize", b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R."),
        ("application/x-yaml", b'{"method": "emit", "event": "x", "data": [1], "namespace": "/", "room": null}'),
        ("text/html", b'{"method": "emit", "event": "x", "data": [1], "namespace": "/", "room": null}'),
    ],
)
@pytest.mark.parametrize("kind", ["rabbitmq", "redis"])
def test_what_is_no_message_is_dropped_with_one_short_line_and_the_next_is_heard(
    servers: dict[str, PushProcess], screen: Turn, kind: str, content_type: str, body: bytes
) -> None:
    server = servers[kind]
    bob = screen(server, "bob")
    before = server.log().count("\n")
    publish(server.broker_url, content_type, body)
    server.announce(added("bob", 1))
    bob.expect_versions(1)
    lines = [line for line in server.log().splitlines()[before - 1 :] if "client_" not in line]
    dropped = [line for line in lines if "message_dropped" in line]
    assert len(dropped) == 1
    assert len(dropped[0]) < 1000
    assert "broker_disconnected" not in "".join(lines)


@pytest.fixture(scope="module")
def servers(module_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, PushProcess]]:
    """One push server on each kind of broker."""
    urls = {"rabbitmq": rabbit().url, "redis": module_redis_url}
    made = {kind: push_process(url, tmp_path_factory.mktemp(kind) / "log") for kind, url in urls.items()}
    with made["rabbitmq"].process, made["redis"].process:
        yield made


def test_a_redis_message_that_is_none_of_kombus_is_dropped(start_push: Start, redis_url: str, screen: Turn) -> None:
    server = start_push(redis_url)
    bob = screen(server, "bob")
    with redis.Redis.from_url(redis_url) as connection:
        (topic,) = [one for one in connection.pubsub_channels() if b"belfry" in one and _db(redis_url) in one.decode()]
        for junk in (b"junk", b"5", b"{}", b'{"body": 5, "properties": {}, "content-type": 1}', b"\xff"):
            connection.publish(topic, junk)
    server.announce(added("bob", 1))
    bob.expect_versions(1)
    assert server.log().count("message_dropped") == 5


def _db(url: str) -> str:
    return "/" + url.rpartition("/")[2] + "."


def publish(broker_url: str, content_type: str, body: bytes) -> None:
    with kombu.Connection(broker_url) as connection:
        exchange = kombu.Exchange(wire.EXCHANGE, type="fanout", durable=False)
        producer = connection.Producer(exchange=exchange)
        producer.publish(body, content_type=content_type, content_encoding="binary")

"""From the API to the broker: tasks carry ids, and an unavailable broker delays no request."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import kombu
import pytest

from api.pipeline.enqueue import Enqueuer
from dev.rabbitmq import RabbitMQ
from dev.redis import Redis
from dev.services import temporary_folder
from tests.api.running import Api, answered, problem, running_api
from tests.support import wait_for
from workers.queues import ANNOUNCE, DELIVER, DELIVERIES_QUEUE, FANOUTS_QUEUE, WITHDRAW, make_celery

pytestmark = pytest.mark.slow

ANSWER_WITHIN = 2.0
Broker = Redis | RabbitMQ


@pytest.fixture(scope="module", params=[Redis, RabbitMQ])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    with temporary_folder() as folder, request.param(folder / "broker") as running:
        yield running


@pytest.fixture(scope="module")
def module_api(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("enqueue")
    with running_api(f"sqlite:///{folder}/belfry.sqlite", folder, broker_url=broker.url) as running:
        yield running


@pytest.fixture
def api(module_api: Api, broker: Broker) -> Iterator[Api]:
    """The API with an empty broker that runs now and afterwards."""
    wait_for(lambda: is_ready(module_api), 10, "the broker to be found again")
    taken(broker)
    yield module_api
    broker.resume()
    if not broker.running:
        broker.start()


def taken(broker: Broker, name: str = DELIVERIES_QUEUE) -> list[tuple[str, list[Any]]]:
    """Take the tasks from the broker: their names and arguments."""
    celery = make_celery(broker.url)
    tasks = []
    with kombu.Connection(broker.url) as connection:
        queue = celery.amqp.queues[name].bind(connection.default_channel)
        queue.declare()
        while message := queue.get(no_ack=True):
            tasks.append((message.headers["task"], json.loads(message.body)[0]))
    return tasks


def post(api: Api, text: str = "hello") -> str:
    """Send bob a message, in time. Returns its id."""
    started = time.monotonic()
    answer = api.named("alice").post("/v1/messages", {"to": "bob", "text": text})
    assert time.monotonic() - started < ANSWER_WITHIN
    id_: str = answered(answer, 202)["id"]
    return id_


def is_ready(api: Api) -> bool:
    return api.http.get("/readyz").status_code == 200


def test_what_is_accepted_is_enqueued_by_its_id_and_nothing_else(api: Api, broker: Broker) -> None:
    alice, shop = api.named("alice"), api.named("shop", "notify")
    order = {"kind": "order", "title": "Order 41"}
    ids = [
        answered(answer, 202)["id"]
        for answer in (
            alice.post("/v1/messages", {"to": "bob", "text": "hello"}),
            alice.post("/v1/follows", {"target": "bob"}),
            shop.post("/v1/notifications", order | {"topic": "user:alice"}),
        )
    ]
    assert taken(broker) == [(DELIVER, [[id_]]) for id_ in ids]


def test_a_batch_is_one_task_that_keeps_its_order_and_leaves_out_what_is_not_due(api: Api, broker: Broker) -> None:
    shop = api.named("shop", "notify")
    orders = [{"kind": "order", "title": str(n), "recipients": ["bob"]} for n in range(30)]
    orders[7]["deliver_at"] = "2099-01-01T00:00:00Z"
    accepted = answered(shop.post("/v1/notifications/batch", {"notifications": orders}), 202)["notifications"]
    ids = [one["id"] for one in accepted]
    assert taken(broker) == [(DELIVER, [ids[:7] + ids[8:]])]


def test_what_is_taken_back_is_enqueued_to_be_withdrawn(api: Api, broker: Broker) -> None:
    shop = api.named("shop", "notify")
    there = shop.post("/v1/notifications", {"kind": "k", "title": "t", "topic": "none"}).headers["Location"]
    assert shop.delete(there).status_code == 204
    assert taken(broker, FANOUTS_QUEUE) == [(WITHDRAW, [there.rpartition("/")[2]])]


def test_what_is_scheduled_is_left_to_the_relay(api: Api, broker: Broker) -> None:
    body = {"recipients": ["bob"], "kind": "k", "title": "t", "deliver_at": "2099-01-01T00:00:00Z"}
    answered(api.named("shop", "notify").post("/v1/notifications", body), 202)
    assert taken(broker) == []


def test_a_change_of_the_inbox_is_announced_by_its_versions(api: Api, broker: Broker) -> None:
    alice, bob = api.named("alice"), api.caller("bob")
    api.deliver(*(alice.post("/v1/messages", {"to": bob.id, "text": "hello"}) for _ in range(3)))
    taken(broker)
    bob.patch("/v1/inbox/1", {"read": True})
    bob.post("/v1/inbox/read", {"through": 3})
    bob.delete("/v1/inbox/2")
    bob.patch("/v1/inbox/3", {"read": True})  # it is: nothing to tell
    assert taken(broker) == [(ANNOUNCE, [bob.id, [version]]) for version in (4, 5, 6)]


@pytest.mark.parametrize("fail", ["pause", "kill"])
def test_posts_are_accepted_in_time_while_the_broker_is_away_and_enqueued_again_after(
    api: Api, broker: Broker, fail: str
) -> None:
    post(api)
    getattr(broker, fail)()
    for _ in range(3):
        post(api)
    with ThreadPoolExecutor(20) as many:
        list(many.map(lambda n: post(api, str(n)), range(40)))
    assert not is_ready(api)
    broker.resume() if fail == "pause" else broker.start()
    wait_for(lambda: is_ready(api), 10, "the broker to be found again")
    taken(broker)
    wait_for(lambda: (DELIVER, [[post(api)]]) in taken(broker), 10, "a post to be enqueued again")


def test_readiness_says_in_words_that_the_broker_is_away(api: Api, broker: Broker) -> None:
    assert answered(api.http.get("/readyz"), 200)["status"] == "ready"  # and, without workers, that nothing moves
    broker.pause()
    started = time.monotonic()
    body = problem(api.http.get("/readyz"), 503, "not_ready")
    assert time.monotonic() - started < ANSWER_WITHIN
    assert [(error["field"], error["message"]) for error in body["errors"]] == [
        ("broker", "the broker did not answer within 1 second")
    ]
    assert answered(api.http.get("/healthz"), 200) == {"status": "ok"}


@contextmanager
def refusing() -> Iterator[str]:
    yield "127.0.0.1:1"


@contextmanager
def silent() -> Iterator[str]:
    """Accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def unreachable() -> Iterator[str]:
    """Accepts no connection, like a host that is switched off."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        yield f"127.0.0.1:{address[1]}"
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
@pytest.mark.parametrize("place", [refusing, silent, unreachable])
def test_a_broker_that_was_never_there_costs_a_second_once_and_then_nothing(
    scheme: str, place: Callable[[], Any]
) -> None:
    with place() as address:
        enqueuer = Enqueuer(f"{scheme}://{address}//")
        durations = []
        for _ in range(20):
            started = time.monotonic()
            assert not enqueuer.announce("bob", [1])
            durations.append(time.monotonic() - started)
        assert max(durations) < 1.2
        assert sum(durations) < 1.5

"""The way to the workers does not rest on what the broker remembers, nor on the defaults of its virtual host."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import kombu
import pytest
import redis

from api.pipeline.enqueue import Enqueuer, NoRoute
from dev.processes import Process
from dev.rabbitmq import USER, RabbitMQ
from dev.redis import Redis
from dev.services import temporary_folder
from dev.stack import ROOT, command_environment, procfile
from tests.conftest import demand_service
from tests.support import wait_for
from tests.support.fresh import fresh_vhost
from tests.support.people import Device, Person
from tests.support.stack import SECRET, start_stack
from workers.queues import DELIVER, DELIVERIES_QUEUE, ROUTES, make_celery

pytestmark = pytest.mark.slow

QUEUES = sorted({str(route["queue"]) for route in ROUTES.values()})
PATIENCE = 30.0


@pytest.fixture
def rabbitmq() -> RabbitMQ:
    return RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))


@pytest.fixture
def quorum_url(rabbitmq: RabbitMQ) -> Iterator[str]:
    """A virtual host in which a queue is a quorum queue unless it is said."""
    with fresh_vhost(rabbitmq, "quorum") as url:
        yield url


def vhost(url: str) -> str:
    return urlsplit(url).path[1:]


def queue_types(rabbitmq: RabbitMQ, url: str) -> str:
    """Each queue of the virtual host with its type, as Erlang prints it."""
    queues = f'rabbit_amqqueue:list(<<"{vhost(url)}">>)'
    return rabbitmq.evaluate(
        f"[{{binary_to_list(element(4, amqqueue:get_name(Q))), amqqueue:get_type(Q)}} || Q <- {queues}]"
    )


def declare(url: str, queue: kombu.Queue) -> None:
    with kombu.Connection(url) as connection:
        queue.bind(connection.default_channel).declare()


def waiting(url: str) -> int:
    """How many tasks wait to be delivered; raises if the queue is not there."""
    with kombu.Connection(url) as connection:
        return int(connection.default_channel.queue_declare(DELIVERIES_QUEUE, passive=True).message_count)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_what_a_broker_forgets_while_all_processes_run_keeps_nothing_from_being_delivered(
    broker: str, request: pytest.FixtureRequest, services_folder: Path
) -> None:
    url: str = request.getfixturevalue(f"{broker}_url")
    with ExitStack() as stack:
        running = stack.enter_context(start_stack(services_folder, f"sqlite:///{services_folder}/x.db", url))
        alice, screen = Person("alice", running), Device("bob", running)
        stack.callback(screen.close)
        alice.message("bob", "before")
        screen.expect_item(body="before")
        if broker == "redis":
            with redis.Redis.from_url(url) as connection:
                connection.flushdb()
        else:
            RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER"))).delete_queues_and_exchanges(vhost(url))
        alice.message("bob", "after")
        screen.expect_item(body="after")
        assert "relayed deliver=1" not in running["worker"].output()  # it came by its own task
        assert alice.call("GET", "/readyz").status_code == 200


def test_a_task_whose_queue_was_deleted_gets_a_new_one(rabbitmq: RabbitMQ, rabbitmq_url: str) -> None:
    enqueuer, celery = Enqueuer(rabbitmq_url), make_celery(rabbitmq_url)
    assert enqueuer.announce("bob", [1])
    celery.send_task(DELIVER, args=[[]])
    rabbitmq.delete_queues_and_exchanges(vhost(rabbitmq_url))
    assert enqueuer.announce("bob", [2])
    assert waiting(rabbitmq_url) == 1
    rabbitmq.delete_queues_and_exchanges(vhost(rabbitmq_url))
    for sent in (1, 2):  # the second by the connection that was made anew
        celery.send_task(DELIVER, args=[[]])
        assert waiting(rabbitmq_url) == sent


def test_a_task_that_no_queue_takes_is_an_error(
    rabbitmq: RabbitMQ, rabbitmq_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    enqueuer = Enqueuer(rabbitmq_url)
    enqueuer.check()
    assert enqueuer.announce("bob", [1])
    nobody_may_declare = (
        f'set_permissions(<<"{USER}">>, <<"{vhost(rabbitmq_url)}">>, <<"^$">>, <<".*">>, <<".*">>, <<"x">>)'
    )
    rabbitmq.evaluate(f"rabbit_auth_backend_internal:{nobody_may_declare}")
    rabbitmq.delete_queues_and_exchanges(vhost(rabbitmq_url))
    assert not enqueuer.announce("bob", [2])
    assert any(record.levelname == "ERROR" and "no_route" in record.message for record in caplog.records)
    with pytest.raises(NoRoute):
        enqueuer.check()


def test_a_redis_that_takes_no_writes_is_no_route() -> None:
    with temporary_folder() as folder, Redis(folder / "redis") as server:
        enqueuer = Enqueuer(server.url)
        enqueuer.check()
        with redis.Redis.from_url(server.url) as connection:
            connection.replicaof("127.0.0.1", 1)
        with pytest.raises(NoRoute):
            enqueuer.check()


def test_every_queue_is_classic_where_the_default_is_quorum(
    rabbitmq: RabbitMQ, quorum_url: str, services_folder: Path
) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(start_stack(services_folder, f"sqlite:///{services_folder}/x.db", quorum_url))
        screen = Device("bob", running)
        stack.callback(screen.close)
        Person("alice", running).message("bob", "hello")
        screen.expect_item(body="hello")
        assert health(quorum_url, services_folder).returncode == 0
        types = queue_types(rabbitmq, quorum_url)
        assert "quorum" not in types
        for name in (*QUEUES, "celery.pidbox", "reply.celery.pidbox", "belfry.push"):
            assert name in types


def test_queues_that_are_quorum_already_are_consumed_as_they_are(quorum_url: str, services_folder: Path) -> None:
    for name in QUEUES:
        declare(quorum_url, kombu.Queue(name, kombu.Exchange("belfry.tasks", type="topic"), routing_key=name))
    with ExitStack() as stack:
        running = stack.enter_context(start_stack(services_folder, f"sqlite:///{services_folder}/x.db", quorum_url))
        screen = Device("bob", running)
        stack.callback(screen.close)
        Person("alice", running).message("bob", "hello")
        screen.expect_item(body="hello")


def test_queues_of_the_last_release_are_taken_over_and_its_producers_still_reach_them(rabbitmq_url: str) -> None:
    old = kombu.Queue(DELIVERIES_QUEUE, kombu.Exchange("belfry.tasks", type="topic"), routing_key=DELIVERIES_QUEUE)
    declare(rabbitmq_url, old)
    enqueuer = Enqueuer(rabbitmq_url)
    enqueuer.check()
    assert enqueuer.announce("bob", [1])
    with kombu.Connection(rabbitmq_url) as connection, connection.Producer() as producer:
        producer.publish({}, exchange="belfry.tasks", routing_key=DELIVERIES_QUEUE, declare=[old])
    wait_for(lambda: waiting(rabbitmq_url) == 2, PATIENCE)


def test_the_last_release_finds_queues_that_this_one_declared(rabbitmq_url: str) -> None:
    """Side by side in a rolling upgrade, whichever comes first."""
    Enqueuer(rabbitmq_url).check()
    exchange = kombu.Exchange("belfry.tasks", type="topic")
    declare(rabbitmq_url, kombu.Queue(DELIVERIES_QUEUE, exchange, routing_key=DELIVERIES_QUEUE))


def test_a_worker_that_the_broker_refuses_its_queues_says_so_and_is_unhealthy_until_it_gets_them(
    rabbitmq_url: str, tmp_path: Path
) -> None:
    make_celery(rabbitmq_url).send_task(DELIVER, args=[[]])
    environ = worker_environment(rabbitmq_url, tmp_path)
    log = tmp_path / "worker.log"
    with kombu.Connection(rabbitmq_url) as connection:
        connection.default_channel.basic_consume(DELIVERIES_QUEUE, exclusive=True)
        process = Process("worker", procfile()["worker"], log, env=environ, cwd=ROOT)
        with process:
            wait_for(lambda: "ERROR workers.broker.strict_consumer worker_cannot_consume" in log.read_text(), PATIENCE)
            refused = health(rabbitmq_url, tmp_path)
            assert refused.returncode == 1
            assert "does not" in refused.stderr
            connection.release()
            wait_for(lambda: " ready" in log.read_text(), PATIENCE)
            accepted = health(rabbitmq_url, tmp_path)
            assert accepted.returncode == 0, accepted.stderr
        gone = health(rabbitmq_url, tmp_path)
        assert (gone.returncode, "does not answer" in gone.stderr) == (1, True)


def test_celerys_own_variable_does_not_lead_to_another_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere:1/0")
    celery = make_celery("amqp://here//")
    assert celery.connection_for_write().hostname == celery.connection_for_read().hostname == "here"


def worker_environment(broker_url: str, folder: Path) -> dict[str, str]:
    return command_environment(
        {"DATABASE_URL": f"sqlite:///{folder}/x.db", "BROKER_URL": broker_url, "JWT_SECRET": SECRET}
    )


def health(broker_url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "workers.health"]
    environ = worker_environment(broker_url, folder)
    return subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

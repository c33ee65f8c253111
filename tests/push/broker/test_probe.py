"""A push server finds out that the exchange no longer leads to it: the broker tells nobody of lost bindings."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import kombu
import pytest

from dev.processes import wait_for
from dev.rabbitmq import USER, RabbitMQ
from push.broker import wire
from push.broker.consumer import HEARTBEAT
from push.broker.listener import CONTENT_TYPES
from tests.push.clients import Screen
from tests.push.support import PushProcess, added, is_ready, rabbit, vhost_of

pytestmark = pytest.mark.slow

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]


def test_an_exchange_that_lost_its_bindings_is_noticed_and_screens_told(
    start_push: Start, rabbitmq_url: str, screen: Turn
) -> None:
    """An announcer declares it anew, and is confirmed what reaches nobody."""
    server = start_push(rabbitmq_url)
    bob = screen(server, "bob")
    exchange = f'{{resource, {vhost_of(rabbitmq_url)}, exchange, <<"{wire.EXCHANGE}">>}}'
    rabbit().evaluate(f'rabbit_exchange:delete({exchange}, false, <<"x">>)')
    server.announce(added("bob", 1))
    wait_for(lambda: "broker_disconnected" in server.log(), 40, "it to be noticed")
    assert bob.expect("sync") == {"reason": "reconnected"}
    server.announce(added("bob", 2))
    bob.expect_versions(2)


def test_a_quiet_exchange_is_listened_to_without_a_loss(start_push: Start, rabbitmq_url: str) -> None:
    server = start_push(rabbitmq_url)
    wait_for_probes()
    assert "broker_disconnected" not in server.log()
    assert "message_dropped" not in server.log()
    assert "belfry_push_messages_dropped_total 0.0" in server.get("/metrics").text


def test_a_probe_is_a_message_that_every_version_ignores(start_push: Start, rabbitmq_url: str) -> None:
    """An answer to a server that does not exist: the release before probes knows no other silent form."""
    start_push(rabbitmq_url)
    arrived: list[kombu.Message] = []
    with kombu.Connection(rabbitmq_url) as connection:
        queue = kombu.Queue(exchange=kombu.Exchange(wire.EXCHANGE, "fanout", passive=True), exclusive=True)
        consumer = connection.Consumer([queue], on_message=arrived.append, no_ack=True)
        consumer.consume()
        connection.drain_events(timeout=4 * HEARTBEAT)
    assert arrived[0].content_type in CONTENT_TYPES
    assert json.loads(arrived[0].body) == {"method": "callback", "host_id": "nobody"}


def test_a_memory_alarm_of_the_broker_is_no_loss(start_push: Start, screen: Turn, tmp_path: Path) -> None:
    """RabbitMQ stops reading connections that publish until the alarm ends; what is consumed still arrives."""
    with RabbitMQ(tmp_path) as broker:
        server = start_push(broker.url)
        bob = screen(server, "bob")
        broker.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.00001)")
        wait_for(lambda: "memory" in broker.evaluate("rabbit_alarm:get_alarms()"), 10, "the alarm")
        wait_for_probes()
        assert "broker_disconnected" not in server.log()
        assert is_ready(server)
        assert bob.shown.empty()
        broker.evaluate("vm_memory_monitor:set_vm_memory_high_watermark(0.6)")
        wait_for(lambda: "memory" not in broker.evaluate("rabbit_alarm:get_alarms()"), 10, "the end of the alarm")
        server.announce(added("bob", 1))
        bob.expect_versions(1)


def test_a_push_server_that_may_not_publish_keeps_hearing(start_push: Start, rabbitmq_url: str, screen: Turn) -> None:
    server = start_push(rabbitmq_url)
    bob = screen(server, "bob")
    allow_writing(rabbitmq_url, f"^{wire.EXCHANGE}[.]push[.].*")  # its queue, to bind it, and not the exchange
    wait_for_probes()
    assert "broker_disconnected" not in server.log()
    assert server.log().count("probe_failed") == 1
    allow_writing(rabbitmq_url, ".*")
    server.announce(added("bob", 1))
    bob.expect_versions(1)


def allow_writing(broker_url: str, names: str) -> None:
    allowed = f'<<".*">>, <<"{names}">>, <<".*">>, <<"test">>'
    rabbit().evaluate(f'rabbit_auth_backend_internal:set_permissions(<<"{USER}">>, {vhost_of(broker_url)}, {allowed})')


def wait_for_probes() -> None:
    """Wait until a push server that hears nothing has sent at least two."""
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 4 * HEARTBEAT, 5 * HEARTBEAT, "probes to be sent")

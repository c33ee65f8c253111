"""A push server finds out that the exchange no longer leads to it: the broker tells nobody of lost bindings."""

import time
from collections.abc import Callable

import pytest

from ops.processes import wait_for
from push import wire
from push.feeds import HEARTBEAT
from tests.push.support import PushProcess, Screen, added, rabbit, vhost_of

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
    wait_for(lambda: "nothing comes" in server.log() or "broker_lost" in server.log(), 40, "it to be noticed")
    assert bob.expect("sync") == {"reason": "reconnected"}
    server.announce(added("bob", 2))
    bob.expect_versions(2)


def test_a_quiet_exchange_is_listened_to_without_a_loss(start_push: Start, rabbitmq_url: str) -> None:
    server = start_push(rabbitmq_url)
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > 3 * HEARTBEAT, 4 * HEARTBEAT, "the probes to be heard")
    assert "broker_lost" not in server.log()
    assert "message_dropped" not in server.log()

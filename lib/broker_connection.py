"""Connections to the broker, the same for Celery, the announcer and the push server."""

from collections.abc import Mapping
from typing import Any

import kombu
from kombu.transport import TRANSPORT_ALIASES, pyamqp
from redis.backoff import NoBackoff
from redis.retry import Retry

from lib.broker_url import BrokerUrl, parse_broker_url


class AMQPTransport(pyamqp.Transport):  # type: ignore[misc]  # kombu has no types
    """Kombu's, with per-consumer prefetch and the name of the host at hand in TLS."""

    def qos_semantics_matches_spec(self, connection: object) -> bool:  # noqa: ARG002
        """Celery asks this to decide on `basic.qos`; True means per consumer.

        Quorum queues refuse a prefetch that is shared by all consumers of a channel (540), and a virtual host may make
        every queue a quorum queue.
        """
        return True

    def establish_connection(self) -> Any:
        """Verify the certificate for the host that is connected to; kombu keeps the name of the first one."""
        name = self.client.hostname
        if isinstance(self.client.ssl, dict) and "server_hostname" in self.client.ssl:
            self.client.ssl = {**self.client.ssl, "server_hostname": name}
        try:
            return super().establish_connection()
        finally:
            self.client.hostname = name  # kombu turns localhost into 127.0.0.1, which the certificate may not name


TRANSPORT_ALIASES.update(dict.fromkeys(("amqp", "amqps"), f"{__name__}:AMQPTransport"))


def broker_connection(
    broker_url: str, *, connect_timeout: float, transport_options: Mapping[str, Any], heartbeat: float = 0
) -> kombu.Connection:
    """A connection that is not open yet."""
    broker = parse_broker_url(broker_url)
    return kombu.Connection(
        broker.url,
        ssl=broker.tls,
        heartbeat=heartbeat,
        connect_timeout=connect_timeout,
        transport_options={**transport_options, **options_of(broker, connect_timeout)},
    )


def options_of(broker: BrokerUrl, timeout: float) -> dict[str, Any]:
    """The transport options that follow from the URL. A Sentinel that does not answer is asked once: others may."""
    options = broker.transport_options
    if "sentinel_kwargs" in options:
        once = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}
        options["sentinel_kwargs"] = {**once, **options["sentinel_kwargs"]}
    return options


def open_connection(connection: kombu.Connection, timeout: float) -> None:
    """Connect to the first host that answers, each tried once for at most `timeout` seconds.

    Raises what the broker's client raises.
    """
    hosts = max(1, len(connection.alt))
    connection.ensure_connection(max_retries=hosts - 1, interval_start=0, interval_step=0, timeout=timeout * hosts)

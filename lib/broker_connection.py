"""Connections to the broker, the same for Celery, the announcer and the push server."""

from collections.abc import Mapping, Sequence
from typing import Any

import kombu
from kombu.transport import TRANSPORT_ALIASES, pyamqp
from kombu.utils.url import parse_url
from redis.backoff import NoBackoff
from redis.retry import Retry

from lib.broker_url import BrokerUrl, parse_broker_url

_last_answered: dict[tuple[str, ...], str] = {}  # the URLs of a cluster: the one this process connected to last


class AMQPTransport(pyamqp.Transport):  # type: ignore[misc]  # kombu has no types
    """Kombu's, with failover within one attempt to connect, per-consumer prefetch, and TLS verified for each host.

    Kombu's own failover gives all hosts one timeout, which a host that accepts connections and never answers uses up,
    and it begins at the first host again for each connection.
    """

    def qos_semantics_matches_spec(self, connection: object) -> bool:  # noqa: ARG002
        """Celery asks this to decide on `basic.qos`; True means per consumer.

        Quorum queues refuse a prefetch that is shared by all consumers of a channel (540), and a virtual host may make
        every queue a quorum queue.
        """
        return True

    def establish_connection(self) -> Any:
        """Connect to the first host that answers, beginning with the one that this process connected to last.

        Each host has `connect_timeout`. Raises the error of the last host that was tried.
        """
        urls = tuple(self.client.alt)
        if not urls:
            return self._connect()
        *others, last = _beginning_with(_last_answered.get(urls, urls[0]), urls)
        for url in others:
            try:
                return self._connect_to(url, urls)
            except self.recoverable_connection_errors:
                continue
        return self._connect_to(last, urls)

    def _connect_to(self, url: str, urls: tuple[str, ...]) -> Any:
        parts = parse_url(url)
        client = self.client
        client.hostname, client.port, client.virtual_host = parts["hostname"], parts["port"], parts["virtual_host"]
        client.userid, client.password = parts["userid"], parts["password"]
        connection = self._connect()
        _last_answered[urls] = url
        return connection

    def _connect(self) -> Any:
        """Verify the certificate for the host that is connected to; kombu keeps the name of the first one."""
        name = self.client.hostname
        if isinstance(self.client.ssl, dict) and "server_hostname" in self.client.ssl:
            self.client.ssl = {**self.client.ssl, "server_hostname": name}
        try:
            return super().establish_connection()
        finally:
            self.client.hostname = name  # kombu turns localhost into 127.0.0.1, which the certificate may not name


def _beginning_with(url: str, urls: Sequence[str]) -> list[str]:
    place = urls.index(url)
    return [*urls[place:], *urls[:place]]


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
    """The transport options that follow from the URL.

    The Sentinels and the Redis they name share the timeout: each is asked once, so that a Sentinel that accepts
    connections and never answers leaves time for the others.
    """
    options = broker.transport_options
    if "sentinel_kwargs" in options:
        share = timeout / (len(broker.addresses) + 1)
        once = {"socket_timeout": share, "socket_connect_timeout": share, "retry": Retry(NoBackoff(), 0)}
        options["sentinel_kwargs"] = {**once, **options["sentinel_kwargs"]}
    return options


def open_connection(connection: kombu.Connection) -> None:
    """Connect, without a second attempt: over AMQP one tries each host, over Redis each Sentinel.

    Raises what the broker's client raises.
    """
    connection.ensure_connection(max_retries=0)

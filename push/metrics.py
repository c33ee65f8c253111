"""The push server's Prometheus metrics."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass
class Counts:
    """Counters since the start; plain integers, as they are incremented ten thousand times a second."""

    announcements: int = 0  # received, for recipients with and without sockets here
    messages_dropped: int = 0  # invalid ones
    broker_disconnects: int = 0
    packets_sent: int = 0  # pings included
    refused: Counter[str] = field(default_factory=Counter)  # by the code that the client was sent
    disconnects: Counter[str] = field(default_factory=Counter)  # by a reason of one word


@dataclass(frozen=True)
class State:
    """Gauges: the state at the time of a scrape or of a health check."""

    transports: int  # open Engine.IO sessions, also those that have not connected to the namespace
    sockets: int
    users: int
    broker_connected: bool
    revocations_loaded: bool


class Metrics(Collector):
    """Renders the metrics when they are scraped."""

    def __init__(self, counts: Counts, state: Callable[[], State]) -> None:
        self._counts, self._state = counts, state
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        state, counts = self._state(), self._counts
        for name, value, documentation in (
            ("transports", state.transports, "Open connections, also those without a verified token"),
            ("sockets", state.sockets, "Clients that connected with a valid token"),
            ("users", state.users, "Recipients with at least one socket on this server"),
            ("broker_connected", state.broker_connected, "1 while this server receives announcements"),
            ("revocations_loaded", state.revocations_loaded, "1 once the revoked tokens have been loaded"),
        ):
            yield GaugeMetricFamily(f"belfry_push_{name}", documentation, value)
        for name, value, documentation in (
            ("announcements_received", counts.announcements, "Announcements received, for any recipient"),
            ("messages_dropped", counts.messages_dropped, "Invalid messages received from the broker"),
            (
                "broker_disconnects",
                counts.broker_disconnects,
                "Broker connections lost or not made",
            ),
            ("packets_sent", counts.packets_sent, "Packets queued for clients, pings included"),
        ):
            yield CounterMetricFamily(f"belfry_push_{name}", documentation, value)
        yield _labelled("code", "belfry_push_refused", "Clients refused, by the code they were sent", counts.refused)
        yield _labelled("reason", "belfry_push_disconnects", "Clients disconnected, by reason", counts.disconnects)


def _labelled(label: str, name: str, documentation: str, numbers: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, documentation, labels=[label])
    for value, number in sorted(numbers.items()):
        family.add_metric([value], number)
    return family

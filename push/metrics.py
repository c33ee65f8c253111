"""What Prometheus may scrape of a push server."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass
class Counts:
    """What this server has done since it started; plain numbers, as they change ten thousand times a second."""

    heard: int = 0  # announcements, whether or not their recipient is here
    dropped: int = 0  # messages that were none
    lost: int = 0  # connections to the broker
    sent: int = 0  # packets, pings among them
    refused: Counter[str] = field(default_factory=Counter)  # clients, by the code that they are told
    cut_off: Counter[str] = field(default_factory=Counter)  # clients, by the reason in one word


@dataclass(frozen=True)
class State:
    """What there is now."""

    transports: int  # open Engine.IO sessions, those that have not connected yet among them
    sockets: int
    users: int
    hears: bool
    knows_revocations: bool


class Metrics(Collector):
    """Renders the numbers when they are asked for."""

    def __init__(self, counts: Counts, state: Callable[[], State]) -> None:
        self._counts, self._state = counts, state
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        state, counts = self._state(), self._counts
        for name, value, what in (
            ("transports", state.transports, "Open connections, those that have not brought a token yet among them"),
            ("sockets", state.sockets, "Clients that brought a good token"),
            ("users", state.users, "Recipients with at least one socket here"),
            ("listener_hears", state.hears, "1 while this server hears the broker"),
            ("knows_revocations", state.knows_revocations, "1 when the revoked tokens have been loaded"),
        ):
            yield GaugeMetricFamily(f"belfry_push_{name}", what, value)
        for name, value, what in (
            ("announcements_heard", counts.heard, "Announcements heard, for recipients here or not"),
            ("messages_dropped", counts.dropped, "Messages of the exchange that were none"),
            ("listener_lost", counts.lost, "Times that the broker's connection was lost, or not made"),
            ("packets_sent", counts.sent, "Packets queued for clients, pings among them"),
        ):
            yield CounterMetricFamily(f"belfry_push_{name}", what, value)
        yield _by("code", "belfry_push_refused", "Clients refused, by what they were told", counts.refused)
        yield _by("reason", "belfry_push_cut_off", "Clients cut off, by reason", counts.cut_off)


def _by(label: str, name: str, what: str, numbers: Counter[str]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, what, labels=[label])
    for value, number in sorted(numbers.items()):
        family.add_metric([value], number)
    return family

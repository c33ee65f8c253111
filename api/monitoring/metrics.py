"""What Prometheus may scrape: how requests were answered, and how much is accepted but in no inbox yet."""

import re
import time
from collections.abc import Iterator
from functools import cache

from flask import Flask, Response, g, request
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from api.framework.endpoint import Services
from models import maintenance
from models.db.database import DatabaseUnavailable
from models.notifications import relay
from models.retries import parked as parking

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Undelivered(Collector):
    """Asks the database at each scrape, so it is right whoever delivers; says nothing when it cannot know."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._services.database.read() as session:
                stuck = relay.undelivered(session, self._services.clock())
                parked = parking.count(session)
        except DatabaseUnavailable:
            return
        yield GaugeMetricFamily(
            "belfry_undelivered_notifications", "Accepted, due, not parked, and not in every inbox yet", stuck.count
        )
        yield GaugeMetricFamily(
            "belfry_undelivered_oldest_seconds", "How long the oldest of them has waited", stuck.oldest_seconds
        )
        yield GaugeMetricFamily("belfry_parked_notifications", "Given up until a person says otherwise", parked)


class Maintenance(Collector):
    """When the workers' upkeep last did what it is for, step by step; from the database, as `Undelivered`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._services.database.read() as session:
                states = maintenance.states(session)
        except DatabaseUnavailable:
            return
        succeeded = GaugeMetricFamily(
            "belfry_maintenance_last_success_timestamp_seconds", "When this step last succeeded", labels=["step"]
        )
        failing = GaugeMetricFamily(
            "belfry_maintenance_failing", "1 if the last run of this step failed, else 0", labels=["step"]
        )
        for state in states:
            if state.succeeded_at is not None:
                succeeded.add_metric([state.step], state.succeeded_at.timestamp())
            failing.add_metric([state.step], float(state.is_failing))
        yield from (succeeded, failing)


def register(app: Flask, services: Services) -> None:
    """Count every request of this app from now on, and serve the numbers at /metrics."""
    registry = CollectorRegistry()
    labels = ("method", "route", "status")
    requests = Counter("belfry_http_requests", "Requests answered", labels, registry=registry)
    seconds = Histogram("belfry_http_seconds", "Time to the answer", ("route",), buckets=BUCKETS, registry=registry)
    registry.register(Undelivered(services))
    registry.register(Maintenance(services))

    def start() -> None:
        g.started = time.perf_counter()

    @cache  # there are as many as there are routes, methods and statuses
    def numbers(rule: str | None, method: str, status: int) -> tuple[Counter, Histogram]:
        route = _route(rule)
        return requests.labels(method, route, str(status)), seconds.labels(route)

    def count(response: Response) -> Response:
        rule = request.url_rule
        method = request.method if rule else "any"  # a stranger's methods make no new numbers
        answered, took = numbers(rule.rule if rule else None, method, response.status_code)
        answered.inc()
        if started := g.get("started"):
            took.observe(time.perf_counter() - started)
        return response

    app.before_request(start)
    app.after_request(count)
    app.add_url_rule(
        "/metrics", "metrics", lambda: Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    )


def _route(rule: str | None) -> str:
    """The route's pattern, never the path: ids are nobody's business here, and without end."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) if rule else "none"

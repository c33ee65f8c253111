"""Metrics for Prometheus: HTTP requests, undelivered and parked notifications, and maintenance."""

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
    """Reads the database at each scrape. Without the database the metrics are absent."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._services.database.snapshot() as conn:
                undelivered = relay.undelivered(conn, self._services.clock())
                parked = parking.count(conn)
        except DatabaseUnavailable:
            return
        yield GaugeMetricFamily(
            "belfry_undelivered_notifications",
            "Accepted and due, not parked, and not yet in every inbox",
            undelivered.count,
        )
        yield GaugeMetricFamily(
            "belfry_undelivered_oldest_seconds",
            "Age of the oldest undelivered notification",
            undelivered.oldest_seconds,
        )
        yield GaugeMetricFamily(
            "belfry_parked_notifications", "Given up (dead-lettered) until an operator decides", parked
        )


class Maintenance(Collector):
    """When each step of the workers' maintenance last succeeded. Reads the database as `Undelivered` does."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[GaugeMetricFamily]:
        try:
            with self._services.database.snapshot() as conn:
                states = maintenance.states(conn)
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
    """Count every request of this app and serve the metrics at /metrics."""
    registry = CollectorRegistry()
    labels = ("method", "route", "status")
    requests = Counter("belfry_http_requests", "HTTP requests", labels, registry=registry)
    durations = Histogram(
        "belfry_http_request_duration_seconds", "Time to the response", ("route",), buckets=BUCKETS, registry=registry
    )
    registry.register(Undelivered(services))
    registry.register(Maintenance(services))

    def start() -> None:
        g.started = time.perf_counter()

    @cache
    def labelled(rule: str | None, method: str, status: int) -> tuple[Counter, Histogram]:
        route = _route(rule)
        return requests.labels(method, route, str(status)), durations.labels(route)

    def observe(response: Response) -> Response:
        rule = request.url_rule
        method = request.method if rule else "any"  # arbitrary methods must not create new time series
        count, duration = labelled(rule.rule if rule else None, method, response.status_code)
        count.inc()
        if started := g.get("started"):
            duration.observe(time.perf_counter() - started)
        return response

    app.before_request(start)
    app.after_request(observe)
    app.add_url_rule(
        "/metrics", "metrics", lambda: Response(generate_latest(registry), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    )


def _route(rule: str | None) -> str:
    """The pattern of the route, such as `/v1/inbox/{seq}`. Paths hold ids, and there is no limit to them."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule) if rule else "none"

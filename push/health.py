"""The push server's HTTP endpoints: `/healthz`, `/readyz` and `/metrics`."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from push.metrics import Metrics, State

Headers = list[tuple[str, str]]
Response = tuple[str, Headers, bytes]

BROKER_DISCONNECTED = {
    "field": "broker",
    "code": "unavailable",
    "message": "this server is not connected to the broker",
}
REVOCATIONS_NOT_LOADED = {
    "field": "database",
    "code": "unavailable",
    "message": "this server could not load the revoked tokens yet",
}


class Health:
    """The WSGI application for requests that are not Socket.IO's."""

    def __init__(self, state: Callable[[], State], metrics: Metrics) -> None:
        self._state, self._metrics = state, metrics

    def __call__(self, environ: dict[str, Any], start_response: Callable[[str, Headers], Any]) -> Iterable[bytes]:
        status, headers, body = self._respond(environ["PATH_INFO"])
        start_response(status, headers)
        return [body]

    def _respond(self, path: str) -> Response:
        if path == "/healthz":
            return _json(HTTPStatus.OK, {"status": "ok"})
        if path == "/readyz":
            return self._readiness()
        if path == "/metrics":
            return _response(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, self._metrics.render())
        return problem_response(HTTPStatus.NOT_FOUND, "not_found", "There is nothing here.")

    def _readiness(self) -> Response:
        state = self._state()
        checks = ((state.broker_connected, BROKER_DISCONNECTED), (state.revocations_loaded, REVOCATIONS_NOT_LOADED))
        errors = [error for passed, error in checks if not passed]
        if not errors:
            return _json(HTTPStatus.OK, {"status": "ready"})
        detail = "This process is not ready; see errors."
        return problem_response(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", detail, errors)


def problem_response(
    status: HTTPStatus, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> Response:
    """An RFC 9457 response, in the form that the API's have."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return _json(status, body | ({"errors": errors} if errors else {}))


def _json(status: HTTPStatus, body: dict[str, Any]) -> Response:
    content_type = "application/json" if status is HTTPStatus.OK else "application/problem+json"
    return _response(status, content_type, json.dumps(body).encode())


def _response(status: HTTPStatus, content_type: str, body: bytes) -> Response:
    return f"{status.value} {status.phrase}", [("Content-Type", content_type), ("Cache-Control", "no-store")], body

"""Whether this push server lives, whether it can serve, and its numbers."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from push.metrics import Metrics, State

Headers = list[tuple[str, str]]
Answer = tuple[str, Headers, bytes]

DEAF = {"field": "broker", "code": "unavailable", "message": "this server does not hear the broker"}
TRUSTING = {"field": "database", "code": "unavailable", "message": "this server could not load the revoked tokens yet"}


class Health:
    """`/healthz`, `/readyz` and `/metrics`; everything else that is no socket is not here."""

    def __init__(self, state: Callable[[], State], metrics: Metrics) -> None:
        self._state, self._metrics = state, metrics

    def __call__(self, environ: dict[str, Any], start_response: Callable[[str, Headers], Any]) -> Iterable[bytes]:
        status, headers, body = self._answer(environ["PATH_INFO"])
        start_response(status, headers)
        return [body]

    def _answer(self, path: str) -> Answer:
        if path == "/healthz":
            return _json(HTTPStatus.OK, {"status": "ok"})
        if path == "/readyz":
            return self._readiness()
        if path == "/metrics":
            return _answer(HTTPStatus.OK, CONTENT_TYPE_PLAIN_0_0_4, self._metrics.render())
        return problem_answer(HTTPStatus.NOT_FOUND, "not_found", "There is nothing here.")

    def _readiness(self) -> Answer:
        state = self._state()
        failures = ([] if state.hears else [DEAF]) + ([] if state.knows_revocations else [TRUSTING])
        if not failures:
            return _json(HTTPStatus.OK, {"status": "ready"})
        said = "This process cannot serve now; see errors."
        return problem_answer(HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", said, failures)


def problem_answer(
    status: HTTPStatus, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> tuple[str, Headers, bytes]:
    """RFC 9457, as the API has it."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return _json(status, body | ({"errors": errors} if errors else {}))


def _json(status: HTTPStatus, body: dict[str, Any]) -> Answer:
    kind = "application/json" if status is HTTPStatus.OK else "application/problem+json"
    return _answer(status, kind, json.dumps(body).encode())


def _answer(status: HTTPStatus, kind: str, body: bytes) -> Answer:
    return f"{status.value} {status.phrase}", [("Content-Type", kind), ("Cache-Control", "no-store")], body

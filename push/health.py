"""Whether this push server lives, and whether it hears the broker."""

import json
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from push.listener import Listener

Headers = list[tuple[str, str]]


class Health:
    """`/healthz` and `/readyz`; everything else that is no socket is not here."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __call__(self, environ: dict[str, Any], start_response: Callable[[str, Headers], Any]) -> Iterable[bytes]:
        status, body = self._answer(environ["PATH_INFO"])
        kind = "application/json" if status is HTTPStatus.OK else "application/problem+json"
        start_response(f"{status.value} {status.phrase}", [("Content-Type", kind), ("Cache-Control", "no-store")])
        return [json.dumps(body).encode()]

    def _answer(self, path: str) -> tuple[HTTPStatus, dict[str, Any]]:
        if path == "/healthz":
            return HTTPStatus.OK, {"status": "ok"}
        if path != "/readyz":
            return problem(HTTPStatus.NOT_FOUND, "not_found", "There is nothing here.")
        if self._listener.hears:
            return HTTPStatus.OK, {"status": "ready"}
        deaf = {"field": "broker", "code": "unavailable", "message": "this server does not hear the broker"}
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "not_ready", "This process cannot serve now; see errors.", [deaf]
        )


def problem(
    status: HTTPStatus, code: str, detail: str, errors: list[dict[str, str]] | None = None
) -> tuple[HTTPStatus, dict[str, Any]]:
    """RFC 9457, as the API has it."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return status, body | ({"errors": errors} if errors else {})

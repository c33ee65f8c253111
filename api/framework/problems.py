"""Every error the API answers: RFC 9457 problem+json with a stable `code`.

A handler raises `Problem(KIND)`; exceptions of other rooms are translated here, in one table, and what nobody
foresaw becomes a 500 that says nothing to the caller and everything to the log.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from api.schemas import responses
from auth.tokens import KeysUnavailable
from lib.group_commit import QueueFull
from models.db.database import DatabaseUnavailable
from models.inbox.reading import ResyncRequired
from models.notifications.accept import IdempotencyKeyReused
from telemetry.errors import describe

MIMETYPE = "application/problem+json"
ERRORS_MAX = 20  # a body of ten thousand unknown fields is not answered by ten thousand lines
NAME_MAX = 100  # nor is a field's name of a hundred kilobytes repeated
RETRY_AFTER_SECONDS = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProblemKind:
    """One kind of error: what a client may rely on, and what the documentation lists."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field; `field` is its dotted path, such as `recipients.3`."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """The request is answered with this error and nothing is stored."""

    def __init__(
        self,
        kind: ProblemKind,
        detail: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind.code)
        self.kind = kind
        self.detail = detail or kind.detail
        self.errors = errors
        self.headers = headers or {}


MALFORMED_JSON = ProblemKind(400, "malformed_json", "The body is not JSON.")
MALFORMED_REQUEST = ProblemKind(400, "malformed_request", "The request cannot be read.")
INVALID_CURSOR = ProblemKind(400, "invalid_cursor", "The cursor is not one that this list gave out.")
UNAUTHORIZED = ProblemKind(401, "unauthorized", "A valid token is required: Authorization: Bearer <JWT>.")
FORBIDDEN = ProblemKind(403, "forbidden", "The token lacks a scope.")
ORIGIN_NOT_ALLOWED = ProblemKind(403, "origin_not_allowed", "Pages of this origin may not call; see CORS_ORIGINS.")
NOT_FOUND = ProblemKind(404, "not_found", "There is nothing here.")
METHOD_NOT_ALLOWED = ProblemKind(405, "method_not_allowed", "This address does not take this method.")
RESYNC_REQUIRED = ProblemKind(
    410, "resync_required", "The changes since that version are not kept; load the inbox again."
)
BODY_TOO_LARGE = ProblemKind(413, "body_too_large", "The body is too large.")
UNSUPPORTED_MEDIA_TYPE = ProblemKind(415, "unsupported_media_type", "The body must be application/json in UTF-8.")
INVALID_REQUEST = ProblemKind(422, "invalid_request", "The request breaks a rule; see errors.")
IDEMPOTENCY_KEY_REUSED = ProblemKind(
    422, "idempotency_key_reused", "This Idempotency-Key was used before with another body."
)
RATE_LIMITED = ProblemKind(429, "rate_limited", "This caller makes too many requests; try again later.")
INTERNAL_ERROR = ProblemKind(500, "internal_error", "Something went wrong here; it was logged.")
DATABASE_UNAVAILABLE = ProblemKind(503, "database_unavailable", "The database cannot be reached; try again.")
KEYS_UNAVAILABLE = ProblemKind(503, "keys_unavailable", "The keys that judge tokens cannot be fetched; try again.")
OVERLOADED = ProblemKind(503, "overloaded", "More requests wait than can be served soon; try again.")
DELIVERY_UNDER_WAY = ProblemKind(
    503, "delivery_under_way", "The notification is cancelled, but a part of its delivery has not ended; repeat this."
)
NOT_READY = ProblemKind(503, "not_ready", "This process cannot serve now; see errors.")

# What the other rooms raise, and what the caller is told. Their own words stay in the log.
FOREIGN: Mapping[type[Exception], ProblemKind] = {
    QueueFull: OVERLOADED,
    DatabaseUnavailable: DATABASE_UNAVAILABLE,
    IdempotencyKeyReused: IDEMPOTENCY_KEY_REUSED,
    KeysUnavailable: KEYS_UNAVAILABLE,
    ResyncRequired: RESYNC_REQUIRED,
}
_OF_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)}


def invalid(field: str, code: str, message: str) -> Problem:
    """422 that names one field."""
    return Problem(INVALID_REQUEST, errors=[FieldError(field, code, message)])


def body_of(problem: Problem) -> dict[str, Any]:
    kind = problem.kind
    errors = [
        responses.FieldError(field=_storable(error.field[:NAME_MAX]), code=error.code, message=error.message)
        for error in problem.errors[:ERRORS_MAX]
    ]
    body = responses.Problem(
        type="about:blank",
        title=HTTPStatus(kind.status).phrase,
        status=kind.status,
        code=kind.code,
        detail=problem.detail,
        errors=errors,
    )
    return body.model_dump()


def text_of(problem: Problem) -> str:
    return json.dumps(body_of(problem), ensure_ascii=False) + "\n"


def _storable(name: str) -> str:
    """A field's name may hold what UTF-8 cannot: it is the client's own text."""
    return name.encode("utf-8", "replace").decode()


def answer(problem: Problem) -> Response:
    kind = problem.kind
    response = Response(text_of(problem), kind.status, problem.headers, mimetype=MIMETYPE)
    response.headers["Cache-Control"] = "no-store"  # browsers keep a 410 for ever unless they are told not to
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def register(app: Flask) -> None:
    """From now on every error of this app is a problem, also those that Flask itself raises."""
    app.register_error_handler(Problem, answer)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unforeseen)
    for exception in FOREIGN:
        app.register_error_handler(exception, _foreign)


def _foreign(error: Exception) -> Response:
    kind = next(kind for exception, kind in FOREIGN.items() if isinstance(error, exception))
    return answer(Problem(kind))


def _http_error(error: HTTPException) -> Response:
    kind = _OF_STATUS.get(error.code or 0, MALFORMED_REQUEST)
    headers = {}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return answer(Problem(kind, headers=headers))


def _unforeseen(error: Exception) -> Response:
    """The exception's text stays out of the log: a database's error quotes the row, which is someone's message."""
    route = request.url_rule.rule if request.url_rule else None
    log.error("request_failed method=%s route=%s %s", request.method, route, describe(error, max_frames=None))
    return answer(Problem(INTERNAL_ERROR))

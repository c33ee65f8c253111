"""The errors of the API: RFC 9457 problem+json with a stable `code`.

An endpoint raises `Problem(KIND)`. A table translates the exceptions of other packages. Any other exception becomes a
500 without details; the log has its type and place.
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
ERRORS_MAX = 20  # a body may have thousands of unknown fields
NAME_MAX = 100  # characters of a field's name; the client chose it
RETRY_AFTER_SECONDS = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProblemKind:
    """One kind of error. `status` and `code` are stable; the documentation lists them."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True)
class FieldError:
    """An error of one field. `field` is its dotted path, such as `recipients.3`."""

    field: str
    code: str
    message: str


class Problem(Exception):
    """Makes the response this error. Nothing is stored."""

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

# The exceptions of other packages. Their messages are not sent to the caller.
TRANSLATED: Mapping[type[Exception], ProblemKind] = {
    QueueFull: OVERLOADED,
    DatabaseUnavailable: DATABASE_UNAVAILABLE,
    IdempotencyKeyReused: IDEMPOTENCY_KEY_REUSED,
    KeysUnavailable: KEYS_UNAVAILABLE,
    ResyncRequired: RESYNC_REQUIRED,
}
_OF_STATUS = {kind.status: kind for kind in (NOT_FOUND, METHOD_NOT_ALLOWED, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)}


def invalid(field: str, code: str, message: str) -> Problem:
    """A 422 that names one field."""
    return Problem(INVALID_REQUEST, errors=[FieldError(field, code, message)])


def body_of(problem: Problem) -> dict[str, Any]:
    kind = problem.kind
    errors = [
        responses.FieldError(field=_encodable(error.field[:NAME_MAX]), code=error.code, message=error.message)
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


def _encodable(name: str) -> str:
    """A name that the client chose, without lone surrogates, which UTF-8 cannot encode."""
    return name.encode("utf-8", "replace").decode()


def response(problem: Problem) -> Response:
    kind = problem.kind
    answer = Response(text_of(problem), kind.status, problem.headers, mimetype=MIMETYPE)
    answer.headers["Cache-Control"] = "no-store"  # browsers cache a 410 without limit by default
    if kind.status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def register(app: Flask) -> None:
    """Make every error of this app a problem, including those that Flask raises."""
    app.register_error_handler(Problem, response)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _unexpected)
    for exception in TRANSLATED:
        app.register_error_handler(exception, _translated)


def _translated(error: Exception) -> Response:
    kind = next(kind for exception, kind in TRANSLATED.items() if isinstance(error, exception))
    return response(Problem(kind))


def _http_error(error: HTTPException) -> Response:
    kind = _OF_STATUS.get(error.code or 0, MALFORMED_REQUEST)
    headers = {}
    if isinstance(error, MethodNotAllowed):
        headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    return response(Problem(kind, headers=headers))


def _unexpected(error: Exception) -> Response:
    """Log the exception without its text: a database's error quotes the row."""
    route = request.url_rule.rule if request.url_rule else None
    log.error("request_failed method=%s route=%s %s", request.method, route, describe(error, max_frames=None))
    return response(Problem(INTERNAL_ERROR))

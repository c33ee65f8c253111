"""Refuses what an endpoint would ignore: fields of a query, a body, or an Idempotency-Key that it does not take.

Whoever sends one of them expects it to do something. A key is ignored with the methods that are idempotent by
themselves (GET, PUT, DELETE), and so is a body with GET; probes of health may have any query.
"""

from collections.abc import Mapping

from flask import Request
from pydantic import TypeAdapter

from api.framework.json_body import read_json_if_any
from api.framework.problems import invalid
from api.framework.validation import validate
from api.schemas.requests import Nothing

_NOTHING: TypeAdapter[Nothing] = TypeAdapter(Nothing)


def refuse_query(query: Mapping[str, str]) -> None:
    """Raises `Problem` that names each field."""
    validate(_NOTHING, query)


def refuse_body(request: Request) -> None:
    """Raises `Problem` for a body that has a field, or is no JSON object."""
    has_length = request.environ.get("CONTENT_LENGTH") not in (None, "", "0")
    if request.method not in ("GET", "HEAD") and (has_length or "HTTP_TRANSFER_ENCODING" in request.environ):
        validate(_NOTHING, read_json_if_any(request))


def refuse_key(request: Request) -> None:
    """Raises `Problem` where a retry would not be what a key promises."""
    if request.method in ("POST", "PATCH"):
        raise invalid("Idempotency-Key", "not_allowed", "has no effect on this call; leave it out")

"""Refuses parts of a request that the endpoint would ignore: query fields, a body, or an Idempotency-Key.

A client that sends one of them expects an effect. Exceptions: a key with an idempotent method (GET, PUT, DELETE), a
body with GET, and any query of a health check are ignored.
"""

from collections.abc import Mapping

from flask import Request
from pydantic import TypeAdapter

from api.framework.json_body import read_json_if_any
from api.framework.problems import invalid
from api.framework.validation import validate
from api.schemas.requests import NoFields

_NO_FIELDS: TypeAdapter[NoFields] = TypeAdapter(NoFields)


def refuse_query(query: Mapping[str, str]) -> None:
    """Raises `Problem` that names each field."""
    validate(_NO_FIELDS, query)


def refuse_body(request: Request) -> None:
    """Raises `Problem` for a body that has a field or is not a JSON object."""
    has_length = request.environ.get("CONTENT_LENGTH") not in (None, "", "0")
    if request.method not in ("GET", "HEAD") and (has_length or "HTTP_TRANSFER_ENCODING" in request.environ):
        validate(_NO_FIELDS, read_json_if_any(request))


def refuse_key(request: Request) -> None:
    """Raises `Problem` if a retry could have another effect."""
    if request.method in ("POST", "PATCH"):
        raise invalid("Idempotency-Key", "not_allowed", "has no effect on this call; leave it out")

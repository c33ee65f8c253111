"""Validation by pydantic schemas, with errors as a 422 that names every field."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from api.framework.problems import INVALID_REQUEST, FieldError, Problem
from api.schemas.fields import URL_SCHEMES

T = TypeVar("T")

# pydantic's error types, mapped to a few stable codes.
CODES = {
    "missing": "missing",
    "extra_forbidden": "unknown_field",
    "string_too_long": "too_long",
    "too_long": "too_long",
    "string_too_short": "too_short",
    "too_short": "too_short",
    "literal_error": "not_allowed",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "string_unicode": "lone_surrogate",
    "string_pattern_mismatch": "wrong_format",
}
MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this request",
    "string_unicode": "holds half of a surrogate pair",
    "model_type": "the body must be a JSON object",
}


def validate(schema: TypeAdapter[T], value: Any, field: str | None = None, *, url_schemes: Sequence[str] = ()) -> T:
    """Convert `value` to the schema's type. Raises `Problem`.

    `field` names a value that has no fields. `url_schemes` are allowed in a `url` beside http and https.
    """
    try:
        return schema.validate_python(value, context={URL_SCHEMES: url_schemes} if url_schemes else None)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise Problem(INVALID_REQUEST, errors=[_field_error(detail, field) for detail in details]) from None


def _field_error(detail: ErrorDetails, field: str | None) -> FieldError:
    kind, message = detail["type"], detail["msg"]
    if "message" not in detail.get("ctx", {}):  # pydantic's own error, not one of `broken_rule`
        kind, message = CODES.get(kind, "wrong_type"), MESSAGES.get(kind, message)
    return FieldError(field or _path(detail), kind, message)


def _path(detail: ErrorDetails) -> str:
    """The path of the field: `recipients.3`. Rules of several fields name one; rules of a list, an element."""
    context = detail.get("ctx", {})
    steps = [*detail["loc"], *(context[name] for name in ("field", "index") if name in context)]
    return ".".join(str(step) for step in steps)

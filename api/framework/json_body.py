"""Reads JSON from the body of a request. Raises `Problem` for what the databases cannot store."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from api.framework.problems import (
    BODY_TOO_LARGE,
    MALFORMED_JSON,
    MALFORMED_REQUEST,
    UNSUPPORTED_MEDIA_TYPE,
    Problem,
    invalid,
)
from models.limits import REQUEST_MAX_BYTES

READ_MAX_BYTES = REQUEST_MAX_BYTES + 1  # Werkzeug truncates a chunked body at its limit without an error
DEPTH_MAX = 64  # the parser is recursive
_JSON_TYPE = re.compile(r"application/(?:[\w.+-]+\+)?json", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(request: Request) -> Any:
    """The JSON value of the request. Raises `Problem`: wrong type, too large, malformed, or not storable text."""
    _demand_json(request)
    return _value(_read(request))


def read_json_if_any(request: Request) -> Any:
    """As `read_json`, but an empty object if there is no body: a client may announce chunks and send none."""
    raw = _read(request)
    if not raw:
        return {}
    _demand_json(request)
    return _value(raw)


def _value(raw: bytes) -> Any:
    if not raw.strip():
        raise Problem(MALFORMED_JSON, "The body is empty.")
    value = parse(raw)
    _refuse_unstorable(raw, value)
    return value


def parse(raw: bytes) -> Any:
    """Parse JSON of RFC 8259: UTF-8, finite numbers, unique names in an object, at most `DEPTH_MAX` levels."""
    if raw.count(b"[") + raw.count(b"{") > DEPTH_MAX:
        _refuse_depth(raw)
    try:
        return _STRICT.decode(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise Problem(MALFORMED_JSON, "The body is not UTF-8.") from None
    except (ValueError, RecursionError) as error:  # ValueError: also a number with too many digits
        where = f" (line {error.lineno} column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem(MALFORMED_JSON, f"The body is not JSON{where}.") from None


def _demand_json(request: Request) -> None:
    """Accept a missing Content-Type but no wrong one, so that a form on another site cannot post here."""
    declared = request.content_type
    if declared == "application/json" and "HTTP_CONTENT_ENCODING" not in request.environ:
        return  # the common case
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    if declared and (not _JSON_TYPE.fullmatch(request.mimetype) or charset not in ("utf-8", "utf8")):
        raise Problem(UNSUPPORTED_MEDIA_TYPE)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "A compressed body is not accepted.")


def _read(request: Request) -> bytes:
    too_large = Problem(BODY_TOO_LARGE, f"The body is larger than {REQUEST_MAX_BYTES} bytes.")
    try:
        raw = request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise too_large from None
    except Exception:  # gunicorn's errors: a malformed chunk, a body that ends too early
        raise Problem(MALFORMED_REQUEST, "The body cannot be read to its end.") from None
    if len(raw) > REQUEST_MAX_BYTES:
        raise too_large
    return raw


def _refuse_depth(raw: bytes) -> None:
    depth = 0
    for mark in re.finditer(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', raw, re.DOTALL):
        token = mark.group()
        depth += (token in (b"[", b"{")) - (token in (b"]", b"}"))
        if depth > DEPTH_MAX:
            raise Problem(MALFORMED_JSON, f"The body is nested deeper than {DEPTH_MAX} levels.")


def _refuse_unstorable(raw: bytes, value: Any) -> None:
    """Refuse lone surrogates and NUL. JSON can hold them, as escapes; UTF-8 and PostgreSQL cannot."""
    if b"\\u" not in raw:
        return
    for path, text in _texts(value):
        if _SURROGATE.search(text):
            raise invalid(path, "lone_surrogate", "holds half of a surrogate pair")
        if "\0" in text:
            raise invalid(path, "control_character", "holds the character U+0000")


def _texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for index, element in enumerate(value):
            yield from _texts(element, _join(path, str(index)))
    elif isinstance(value, dict):
        for name, element in value.items():
            yield _join(path, name), name
            yield from _texts(element, _join(path, name))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name appears twice in an object")
    return value


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_constant=_constant)

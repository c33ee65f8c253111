"""The types that requests are made of: what an id, a topic, a title, an address or a time may be.

One rule each, with its limit from `models.limits`; schemas combine them, and the OpenAPI document is made from them.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, LiteralString, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from models import limits

_ANY_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CONTROL_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,19}")

T = TypeVar("T")


def broken_rule(code: LiteralString, message: str, **where: object) -> PydanticCustomError:
    """A rule of ours that a value breaks; `where` may name the `field` to blame or the `index` of an element."""
    return PydanticCustomError(code, "{message}", {"message": message, **where})


def _without(pattern: re.Pattern[str]) -> AfterValidator:
    def check(text: str) -> str:
        if found := pattern.search(text):
            raise broken_rule("control_character", f"holds the control character U+{ord(found.group()):04X}")
        return text

    return AfterValidator(check)


def _address(text: str) -> str:
    """An address that is safe to put behind a link: http(s), or a path of the host's own site."""
    own_path = text.startswith("/") and not text.startswith("//")
    if re.search(r"[\s\\]", text) or not (own_path or _is_web_address(text)):
        raise broken_rule("invalid_url", "must be an http(s) address or a path that begins with one slash")
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that are no IPv6 address, a port that is no number
        return False


def _moment(value: Any) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):  # the 30th of February; year 9999 west of Greenwich
            pass
    raise broken_rule("invalid_timestamp", "must be an RFC 3339 time with an offset, such as 2030-01-31T09:00:00Z")


def _decimal(value: Any) -> Any:
    """A query's text into an int; anything but plain digits is left for the type to refuse."""
    return int(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else value


def _small_enough(data: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(data, ensure_ascii=False).encode()) > limits.DATA_MAX_BYTES:
        raise broken_rule("too_long", f"is larger than {limits.DATA_MAX_BYTES} bytes as JSON")
    return data


def _no_duplicates(values: list[T]) -> list[T]:
    first_at: dict[T, int] = {}
    for index, value in enumerate(values):
        if first_at.setdefault(value, index) != index:
            raise broken_rule("duplicate", f"is the same as element {first_at[value]}", index=index)
    return values


def _only_true(value: bool) -> bool:
    if not value:
        raise broken_rule("not_allowed", "can only be true; leave it out otherwise")
    return value


def _name(limit: int) -> StringConstraints:
    return StringConstraints(min_length=1, max_length=limit)


Id = Annotated[str, _name(limits.ID_MAX), _without(_ANY_CONTROL)]
Topic = Annotated[str, _name(limits.TOPIC_MAX), _without(_ANY_CONTROL)]
Kind = Annotated[str, _name(limits.KIND_MAX), _without(_ANY_CONTROL)]
Title = Annotated[str, _name(limits.TITLE_MAX), _without(_CONTROL_IN_LINES)]
Text = Annotated[str, _name(limits.BODY_MAX), _without(_CONTROL_IN_TEXT)]
Url = Annotated[str, _name(limits.URL_MAX), _without(_ANY_CONTROL), AfterValidator(_address)]
Data = Annotated[dict[str, Any], AfterValidator(_small_enough)]
Timestamp = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Seq = Annotated[int, Field(ge=1, le=limits.SEQ_MAX)]
Version = Annotated[int, Field(ge=0, le=limits.SEQ_MAX)]
IdempotencyKey = Annotated[str, StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{limits.IDEMPOTENCY_KEY_MAX}}}$")]
OnlyTrue = Annotated[bool, AfterValidator(_only_true), WithJsonSchema({"type": "boolean", "const": True})]
NoDuplicates = AfterValidator(_no_duplicates)
FromQuery = BeforeValidator(_decimal)

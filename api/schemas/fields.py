"""The types of the fields of requests: ids, topics, titles, addresses, times and so on.

Limits come from `models.limits`. Schemas combine these types, and the OpenAPI document describes them.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, LiteralString, TypeVar
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_after_validator_function

from lib.url_schemes import address_pattern
from models import limits

# Characters that no text may hold, as regular expressions for both Python and JSON Schema.
_CONTROL = r"[\x00-\x1f\x7f-\x9f]"
_CONTROL_IN_LINES = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # \t and \n are none
_CONTROL_IN_TEXT = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"
_TEXT = r"^(?:[^\x00-\x08\x0b-\x1f\x7f-\x9f]|\r\n)*$"
URL_SCHEMES = "url_schemes"  # the key in the context of a validation
ADDRESS = address_pattern(())
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DECIMAL = re.compile(r"[0-9]{1,19}")

T = TypeVar("T")


def broken_rule(code: LiteralString, message: str, **where: object) -> PydanticCustomError:
    """An error of our own rules. `where` may name the `field` or the `index` of an element."""
    return PydanticCustomError(code, "{message}", {"message": message, **where})


@dataclass(frozen=True, eq=False)  # a type is hashed with its rules
class Rule:
    """A check, with the JSON Schema keywords that describe it: pydantic cannot derive them from a function."""

    keywords: Mapping[str, Any]
    check: Callable[[Any], Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema if self.check is None else no_info_after_validator_function(self.check, schema)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(core), **self.keywords}


def _without(forbidden: str, pattern: str | None = None) -> Rule:
    """Text without the characters of a class. `pattern` describes it if the class alone does not."""
    searched = re.compile(forbidden)

    def check(text: str) -> str:
        if found := searched.search(text):
            raise broken_rule("control_character", f"holds the control character U+{ord(found.group()):04X}")
        return text

    return Rule({"pattern": pattern or f"^[^{forbidden[1:-1]}]*$"}, check)


def _topic(text: str) -> str:
    """The topic of a user's followers may be longer than other topics, by its prefix."""
    if len(text.removeprefix(limits.FOLLOWED_PREFIX)) > limits.TOPIC_MAX:
        raise broken_rule("too_long", f"String should have at most {limits.TOPIC_MAX} characters")
    return text


def _address(text: str, validation: ValidationInfo) -> str:
    """An address that is safe as a link: http(s), a path of the host application's site, or an allowed scheme."""
    schemes = (validation.context or {}).get(URL_SCHEMES, ())
    if text.partition(":")[0].lower() in schemes and re.fullmatch(address_pattern(schemes), text):
        return text
    if not re.fullmatch(ADDRESS, text) or not (text.startswith("/") or _is_web_address(text)):
        apps = f", an address of {', '.join(schemes)}," if schemes else ""
        raise broken_rule("invalid_url", f"must be an http(s) address{apps} or a path that begins with one slash")
    return text


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an IPv6 address, a port that is not a number
        return False


def _utc_datetime(value: Any) -> datetime:
    if isinstance(value, str) and _RFC3339.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):  # such as 30 February, or the year 10000 in UTC
            pass
    raise broken_rule("invalid_timestamp", "must be an RFC 3339 time with an offset, such as 2030-01-31T09:00:00Z")


def _decimal(value: Any) -> Any:
    """Convert digits in a query to an int. Anything else is left for the type to refuse."""
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


def _example(value: object) -> Rule:
    return _keywords(examples=[value])


def _keywords(**keywords: object) -> Rule:
    """JSON Schema keywords without a check."""
    return Rule(keywords)


Id = Annotated[str, _name(limits.ID_MAX), _without(_CONTROL), _example("bob")]
Topic = Annotated[
    str,
    _name(limits.STORED_TOPIC_MAX),
    _without(_CONTROL, rf"^(?:{limits.FOLLOWED_PREFIX})?[^{_CONTROL[1:-1]}]{{1,{limits.TOPIC_MAX}}}$"),
    Rule({"examples": ["boots"]}, _topic),
]
Kind = Annotated[str, _name(limits.KIND_MAX), _without(_CONTROL), _example("order.shipped")]
Title = Annotated[str, _name(limits.TITLE_MAX), _without(_CONTROL_IN_LINES), _example("Order 41 is on its way")]
Text = Annotated[str, _name(limits.BODY_MAX), _without(_CONTROL_IN_TEXT, _TEXT), _example("Two parcels, by post.")]
Url = Annotated[
    str,
    _name(limits.URL_MAX),
    _without(_CONTROL),
    AfterValidator(_address),
    Rule({"pattern": ADDRESS, "examples": ["/orders/41"]}),
]
Data = Annotated[dict[str, Any], Rule({"examples": [{"order": 41}]}, _small_enough)]
Timestamp = Annotated[
    datetime,
    BeforeValidator(_utc_datetime),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2030-01-31T09:00:00Z"]}),
]
NotificationId = Annotated[UUID, _example("019ac5a7-8c00-7000-8000-0000000000a1")]
Seq = Annotated[int, Field(ge=1, le=limits.SEQ_MAX), _example(42)]
Version = Annotated[int, Field(ge=0, le=limits.SEQ_MAX), _example(42)]
IdempotencyKey = Annotated[
    str,
    StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{limits.IDEMPOTENCY_KEY_MAX}}}$"),
    _example("order-41-shipped"),
]
OnlyTrue = Annotated[bool, AfterValidator(_only_true), WithJsonSchema({"type": "boolean", "const": True})]
NoDuplicates = Rule({"uniqueItems": True}, _no_duplicates)
FromQuery = BeforeValidator(_decimal)

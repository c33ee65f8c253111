"""The schemas of responses, as clients and the OpenAPI document see them.

This module has those that several endpoints share, and those of the service itself. `inbox_responses` has those for
recipients, `publishing_responses` those for producers.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from api.schemas.requests import Severity

NOTIFICATION_ID = "019ac5a7-8c00-7000-8000-0000000000a1"
Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid", "examples": [NOTIFICATION_ID]})]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]  # RFC 3339 in UTC, with a Z

AN_ITEM: dict[str, Any] = {
    "seq": 41,
    "version": 42,
    "id": NOTIFICATION_ID,
    "kind": "order.shipped",
    "actor": None,
    "title": "Order 41 is on its way",
    "body": "Two parcels, by post.",
    "url": "/orders/41",
    "data": {"order": 41},
    "severity": "none",
    "topic": None,
    "created_at": "2030-01-31T09:00:00.000000Z",
    "expires_at": None,
    "seen_at": "2030-01-31T09:05:00.000000Z",
    "read_at": None,
    "archived_at": None,
}


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def shown(example: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [dict(example)]})


class Content(Shape):
    """The content of a notification, the same for all its recipients."""

    id: Uuid
    """The id of the notification."""
    kind: str
    actor: str | None
    title: str
    body: str | None
    url: str | None
    data: dict[str, Any] | None
    severity: Severity
    topic: str | None
    created_at: Time
    expires_at: Time | None


class TokensRevoked(Shape):
    """Tokens of the user that were issued up to `revoked_before` are refused."""

    model_config = shown({"user": "mallory", "revoked_before": "2030-01-31T09:00:00.000000Z"})

    user: str
    revoked_before: Time


class Healthy(Shape):
    model_config = shown({"status": "ok"})

    status: Literal["ok"]


class StalledNotifications(Shape):
    """Notifications that are accepted and due, and have made no progress for half a minute."""

    model_config = shown({"count": 3, "oldest_seconds": 41})

    count: int
    """At most 1,000."""
    oldest_seconds: int


class Ready(Shape):
    model_config = shown({"status": "ready"})

    status: Literal["ready"]
    stalled: StalledNotifications | None = None
    """Present only while there are any. This process can accept notifications all the same. Check that beat and the
    workers run and keep up."""


class FieldError(Shape):
    """An error of one field."""

    field: str
    """Its dotted path, such as `recipients.3`."""
    code: str
    message: str


class Problem(Shape):
    """An error of RFC 9457. `code` is stable; `detail` is for people."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError]


class Config(Shape):
    """The addresses of the API, relative to this document, and of the push server."""

    api: str
    push_url: str

"""What the API answers: the shapes that clients may rely on, and that the documentation shows."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

from api.schemas.requests import A_CURSOR, Severity, Status

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
COUNTS = {"unread": 3, "unseen": 1, "version": 42, "epoch": "7f1d2a1e-5f0b-4c43-9a54-3f3a4d2b9c10"}
_CONTENT = ("id", "kind", "actor", "title", "body", "url", "data", "severity", "topic", "created_at", "expires_at")
PUBLISHED: dict[str, Any] = {
    **{name: AN_ITEM[name] for name in _CONTENT},
    "status": "delivered",
    "everyone": False,
    "deliver_at": None,
    "delivered_at": "2030-01-31T09:00:00.012000Z",
    "cancelled_at": None,
    "recipients": 2,
    "delivered": 2,
}


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


def _shown(example: Mapping[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [dict(example)]})


class Accepted(Shape):
    """The notification is stored; it will be delivered whatever fails next."""

    model_config = _shown({"id": NOTIFICATION_ID})

    id: Uuid


class FollowAccepted(Shape):
    model_config = _shown({"id": NOTIFICATION_ID, "target": "bob"})

    id: Uuid
    target: str


class NotificationAccepted(Shape):
    """`scheduled` when its `deliver_at` lies ahead."""

    model_config = _shown({"id": NOTIFICATION_ID, "status": "accepted"})

    id: Uuid
    status: Literal["accepted", "scheduled"]


class NotificationsAccepted(Shape):
    """One for each of the batch, in its order."""

    model_config = _shown({"notifications": [{"id": NOTIFICATION_ID, "status": "accepted"}]})

    notifications: list[NotificationAccepted]


class Content(Shape):
    """What was published, the same for all who receive it."""

    id: Uuid
    """The notification's."""
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


class Published(Content):
    """A notification as its producer sees it."""

    model_config = _shown(PUBLISHED)

    status: Status
    """What Belfry gave up after some attempts stays `accepted`, or `delivering`, until its operators see to it."""
    everyone: bool
    deliver_at: Time | None
    delivered_at: Time | None
    cancelled_at: Time | None
    recipients: int | None
    """How many it concerns; of a topic, or of everyone, it is known when all are reached."""
    delivered: int
    """How many inboxes it has reached."""


class PublishedInFull(Published):
    """A notification as its producer sees it, with how many of those who had it at `counted_at` saw it and read it.

    That is now, unless more than 10,000 have it: then it is a minute ago, and later no longer ago than a tenth of its
    age. Of what was recalled or has expired, it is when it began to leave the inboxes.
    """

    model_config = _shown(PUBLISHED | {"seen": 2, "read": 1, "counted_at": "2030-01-31T09:05:00.000000Z"})

    seen: int
    read: int
    counted_at: Time


class PublishedPage(Shape):
    """Notifications newest first; `next_cursor` leads on to older ones."""

    model_config = _shown({"notifications": [PUBLISHED], "next_cursor": None})

    notifications: list[Published]
    next_cursor: str | None


class Topics(Shape):
    model_config = _shown({"topics": ["boots", "user:bob"]})

    topics: list[str]


class SubscribersChanged(Shape):
    """How many were not subscribed before, and how many were."""

    model_config = _shown({"added": 1, "removed": 0})

    added: int
    removed: int


class TokensRevoked(Shape):
    """Those of the user that were issued up to then are refused."""

    model_config = _shown({"user": "mallory", "revoked_before": "2030-01-31T09:00:00.000000Z"})

    user: str
    revoked_before: Time


class Item(Content):
    """One recipient's copy of a notification, with its state. Times are RFC 3339 UTC."""

    model_config = _shown(AN_ITEM)

    seq: int
    """Its id in this inbox: the version at which it arrived."""
    version: int
    """The version of its last change."""
    seen_at: Time | None
    read_at: Time | None
    archived_at: Time | None


class Summary(Shape):
    """The counts at one version of one history."""

    model_config = _shown(COUNTS)

    unread: int
    unseen: int
    version: int
    """How many changes this inbox has seen; each takes the next number."""
    epoch: Uuid
    """The history that the version belongs to: another after a restore from a backup."""


class InboxPage(Summary):
    """Items newest first; `next_cursor` leads on to older ones."""

    model_config = _shown({"items": [AN_ITEM], "next_cursor": A_CURSOR, **COUNTS})

    items: list[Item]
    next_cursor: str | None


class Arrival(Shape):
    """An item that came in at this version."""

    version: int
    change: Literal["added"]
    item: Item


class StateChange(Shape):
    """What happened to items at this version: to those in `seqs`, or to all up to `through`, of that kind and topic."""

    version: int
    change: Literal["seen", "read", "unread", "archived", "unarchived", "deleted", "recalled", "expired"]
    seqs: list[int] | None
    through: int | None
    kind: str | None = None
    topic: str | None = None
    at: Time


class Changes(Summary):
    """All that takes a client from the version it named to `version`; `more` when that is not yet the present.

    A change is what the socket says of it; the counts are those of the present.
    """

    model_config = _shown(
        {
            "changes": [
                {"version": 41, "change": "added", "item": AN_ITEM},
                {"version": 42, "change": "seen", "seqs": [41], "through": None, "at": "2030-01-31T09:05:00.000000Z"},
            ],
            "more": False,
            **COUNTS,
        }
    )

    changes: list[Arrival | StateChange]
    more: bool


class Marked(Shape):
    model_config = _shown({"changed": 3, "version": 43, "unread": 0, "unseen": 0})

    changed: int
    """How many items were not so before."""
    version: int
    unread: int
    unseen: int


class Healthy(Shape):
    model_config = _shown({"status": "ok"})

    status: Literal["ok"]


class StalledNotifications(Shape):
    """What was accepted, is due, and has not moved for half a minute."""

    model_config = _shown({"count": 3, "oldest_seconds": 41})

    count: int
    """At most 1,000."""
    oldest_seconds: int


class Ready(Shape):
    model_config = _shown({"status": "ready"})

    status: Literal["ready"]
    stalled: StalledNotifications | None = None
    """Only while there is something. This process can accept all the same; look at beat, at the workers, and whether
    they keep up."""


class FieldError(Shape):
    """What is wrong with one field."""

    field: str
    """Its dotted path, such as `recipients.3`."""
    code: str
    message: str


class Problem(Shape):
    """An error as RFC 9457 has it. `code` is stable: rely on it; `detail` is for people."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError]


class Config(Shape):
    """Where the demo page finds the others; `api` is relative to this document."""

    api: str
    push_url: str

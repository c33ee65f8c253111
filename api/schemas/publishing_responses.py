"""What is answered to who publishes: what was accepted, and how far it came."""

from typing import Any, Literal

from api.schemas.requests import Status
from api.schemas.responses import AN_ITEM, NOTIFICATION_ID, Content, Shape, Time, Uuid, shown

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


class Accepted(Shape):
    """The notification is stored; it will be delivered whatever fails next."""

    model_config = shown({"id": NOTIFICATION_ID})

    id: Uuid


class FollowAccepted(Shape):
    model_config = shown({"id": NOTIFICATION_ID, "target": "bob"})

    id: Uuid
    target: str


class NotificationAccepted(Shape):
    """`scheduled` when its `deliver_at` lies ahead."""

    model_config = shown({"id": NOTIFICATION_ID, "status": "accepted"})

    id: Uuid
    status: Literal["accepted", "scheduled"]


class NotificationsAccepted(Shape):
    """One for each of the batch, in its order."""

    model_config = shown({"notifications": [{"id": NOTIFICATION_ID, "status": "accepted"}]})

    notifications: list[NotificationAccepted]


class Published(Content):
    """A notification as its producer sees it."""

    model_config = shown(PUBLISHED)

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

    model_config = shown(PUBLISHED | {"seen": 2, "read": 1, "counted_at": "2030-01-31T09:05:00.000000Z"})

    seen: int
    read: int
    counted_at: Time


class PublishedPage(Shape):
    """Notifications newest first; `next_cursor` leads on to older ones."""

    model_config = shown({"notifications": [PUBLISHED], "next_cursor": None})

    notifications: list[Published]
    next_cursor: str | None


class SubscribersChanged(Shape):
    """How many were not subscribed before, and how many were."""

    model_config = shown({"added": 1, "removed": 0})

    added: int
    removed: int

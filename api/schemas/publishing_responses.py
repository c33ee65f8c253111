"""The schemas of responses to producers: accepted notifications, and their status."""

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
    """The notification is stored and will be delivered, whatever fails next."""

    model_config = shown({"id": NOTIFICATION_ID})

    id: Uuid


class FollowAccepted(Shape):
    model_config = shown({"id": NOTIFICATION_ID, "target": "bob"})

    id: Uuid
    target: str


class NotificationAccepted(Shape):
    """`status` is `scheduled` if `deliver_at` is in the future."""

    model_config = shown({"id": NOTIFICATION_ID, "status": "accepted"})

    id: Uuid
    status: Literal["accepted", "scheduled"]


class NotificationsAccepted(Shape):
    """A result for each notification of the batch, in its order."""

    model_config = shown({"notifications": [{"id": NOTIFICATION_ID, "status": "accepted"}]})

    notifications: list[NotificationAccepted]


class Published(Content):
    """A notification as seen by its producer."""

    model_config = shown(PUBLISHED)

    status: Status
    """A notification that was given up after several attempts stays `accepted` or `delivering` for the operator."""
    everyone: bool
    deliver_at: Time | None
    delivered_at: Time | None
    cancelled_at: Time | None
    recipients: int | None
    """The number of recipients. For a topic or for everyone it is known once all are reached."""
    delivered: int
    """The number of inboxes that it has reached."""


class PublishedInFull(Published):
    """A notification as seen by its producer, with the number of recipients who have seen and read it.

    Up to 10,000 recipients are counted now. For larger audiences the counts are cached; `counted_at` says when: a
    minute ago at first, later at most a tenth of the notification's age. The counts of a recalled or expired
    notification are those from when it began to leave the inboxes.
    """

    model_config = shown(PUBLISHED | {"seen": 2, "read": 1, "counted_at": "2030-01-31T09:05:00.000000Z"})

    seen: int
    read: int
    counted_at: Time


class PublishedPage(Shape):
    """Notifications, newest first. `next_cursor` is the cursor of the next page, with older ones."""

    model_config = shown({"notifications": [PUBLISHED], "next_cursor": None})

    notifications: list[Published]
    next_cursor: str | None


class SubscribersChanged(Shape):
    """The number of users who were not subscribed before, and of those who were."""

    model_config = shown({"added": 1, "removed": 0})

    added: int
    removed: int

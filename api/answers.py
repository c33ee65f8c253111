"""What the API answers: the shapes that clients may rely on, and that the documentation shows."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from api.schemas import Severity, Status


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Accepted(Shape):
    """The notification is stored; it will be delivered whatever fails next."""

    id: str


class FollowAccepted(Shape):
    id: str
    target: str


class NotificationAccepted(Shape):
    """`scheduled` when its `deliver_at` lies ahead."""

    id: str
    status: Literal["accepted", "scheduled"]


class NotificationsAccepted(Shape):
    """One for each of the batch, in its order."""

    notifications: list[NotificationAccepted]


class Published(Shape):
    """A notification as its producer sees it.

    `recipients` is how many it concerns (of a topic or of everyone it is known when all are reached), `delivered` how
    many inboxes it has reached.
    """

    id: str
    status: Status
    kind: str
    actor: str | None
    title: str
    body: str | None
    url: str | None
    data: dict[str, Any] | None
    severity: Severity
    topic: str | None
    everyone: bool
    created_at: str
    deliver_at: str | None
    delivered_at: str | None
    cancelled_at: str | None
    expires_at: str | None
    recipients: int | None
    delivered: int


class PublishedInFull(Published):
    """With how many of those who have it saw it and read it."""

    seen: int
    read: int


class PublishedPage(Shape):
    """Notifications newest first; `next_cursor` leads on to older ones."""

    notifications: list[Published]
    next_cursor: str | None


class Topics(Shape):
    topics: list[str]


class SubscribersChanged(Shape):
    """How many were not subscribed before, and how many were."""

    added: int
    removed: int


class Item(Shape):
    """One recipient's copy of a notification, with its state. Times are RFC 3339 UTC."""

    seq: int
    version: int
    id: str
    kind: str
    actor: str | None
    title: str
    body: str | None
    url: str | None
    data: dict[str, Any] | None
    severity: Severity
    topic: str | None
    created_at: str
    seen_at: str | None
    read_at: str | None
    archived_at: str | None
    expires_at: str | None


class Summary(Shape):
    """The counts at one version of one history."""

    unread: int
    unseen: int
    version: int
    epoch: str


class InboxPage(Summary):
    """Items newest first; `next_cursor` leads on to older ones."""

    items: list[Item]
    next_cursor: str | None


class Changes(Summary):
    """All that takes a client from the version it named to `version`; `more` when that is not yet the present.

    A change is what the socket says of it; the counts are those of the present.
    """

    changes: list[dict[str, Any]]
    more: bool


class Marked(Shape):
    changed: int
    version: int
    unread: int
    unseen: int


class Healthy(Shape):
    status: Literal["ok"]


class Ready(Shape):
    status: Literal["ready"]


class Config(Shape):
    """Where the browser's side finds the others."""

    api: str
    push_url: str

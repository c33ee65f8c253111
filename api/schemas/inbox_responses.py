"""The schemas of responses to recipients: items of an inbox, its changes and counts, and subscriptions."""

from typing import Literal

from api.schemas.requests import A_CURSOR
from api.schemas.responses import AN_ITEM, Content, Shape, Time, Uuid, shown

COUNTS = {"unread": 3, "unseen": 1, "version": 42, "epoch": "7f1d2a1e-5f0b-4c43-9a54-3f3a4d2b9c10"}


class Topics(Shape):
    model_config = shown({"topics": ["boots", "user:bob"]})

    topics: list[str]


class Item(Content):
    """One recipient's copy of a notification, with its state. Times are RFC 3339 UTC."""

    model_config = shown(AN_ITEM)

    seq: int
    """The id of the item in this inbox: the version at which it arrived."""
    version: int
    """The version of its last change."""
    seen_at: Time | None
    read_at: Time | None
    archived_at: Time | None


class Summary(Shape):
    """The counts of an inbox at a version."""

    model_config = shown(COUNTS)

    unread: int
    unseen: int
    version: int
    """The number of changes of this inbox so far; each takes the next number."""
    epoch: Uuid
    """The history that the version belongs to. It is new after a restore from a backup."""


class InboxPage(Summary):
    """Items, newest first. `next_cursor` is the cursor of the next page, with older ones."""

    model_config = shown({"items": [AN_ITEM], "next_cursor": A_CURSOR, **COUNTS})

    items: list[Item]
    next_cursor: str | None


class Arrival(Shape):
    """An item that arrived at this version."""

    version: int
    change: Literal["added"]
    item: Item


class StateChange(Shape):
    """A change of state at this version, of the items in `seqs`, or of all up to `through` of this kind and topic."""

    version: int
    change: Literal["seen", "read", "unread", "archived", "unarchived", "deleted", "recalled", "expired"]
    seqs: list[int] | None
    through: int | None
    kind: str | None = None
    topic: str | None = None
    at: Time


class Changes(Summary):
    """The changes from the version that the client named to `version`. `more`: there are further ones.

    A change has the form in which the socket sends it. The counts are the current ones.
    """

    model_config = shown(
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
    model_config = shown({"changed": 3, "version": 43, "unread": 0, "unseen": 0})

    changed: int
    """The number of items whose state changed."""
    version: int
    unread: int
    unseen: int

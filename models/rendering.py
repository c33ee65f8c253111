"""One shape, one function: the item and the change as REST answers and the socket alike show them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

Rendered = dict[str, Any]

CONTENT = ("kind", "actor", "title", "body", "url", "data", "severity", "topic")
STATE_TIMES = ("seen_at", "read_at", "archived_at")


@dataclass(frozen=True)
class Change:
    """One change of one inbox, with the counts that belong to its version."""

    recipient_id: str
    rendered: Rendered
    unread: int
    unseen: int
    epoch: UUID

    def announced(self) -> Rendered:
        """What the socket says of it."""
        return {**self.rendered, "epoch": str(self.epoch), "unread": self.unread, "unseen": self.unseen}


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with a `Z`, microseconds always written so that texts compare like times."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def render_content(notification: Row[Any]) -> Rendered:
    """What all recipients share: the part of an item that is the notification's own."""
    content = {name: getattr(notification, name) for name in CONTENT}
    times = {"created_at": timestamp(notification.created_at), "expires_at": timestamp(notification.expires_at)}
    return {"id": str(notification.id), **content, **times}


def render_item(row: Row[Any]) -> Rendered:
    """An inbox item as its owner sees it; `row` is the item joined with its notification."""
    state = {name: timestamp(getattr(row, name)) for name in STATE_TIMES}
    return {"seq": row.seq, "version": row.version, **render_content(row), **state}


def render_new_item(seq: int, content: Rendered) -> Rendered:
    """An item at the moment of its arrival, when nothing has been done with it."""
    return {"seq": seq, "version": seq, **content, **dict.fromkeys(STATE_TIMES)}


def render_added(item: Rendered) -> Rendered:
    return {"version": item["seq"], "change": "added", "item": item}


def render_change(row: Row[Any]) -> Rendered:
    """A change of state; `seqs` names the items, or `through` with the filters that narrowed it."""
    named = {"version": row.version, "change": row.change, "seqs": row.seqs, "through": row.through}
    filters = {name: value for name in ("kind", "topic") if (value := getattr(row, name)) is not None}
    return {**named, **filters, "at": timestamp(row.at)}

"""One shape, one function: the item and the change as REST answers and the socket alike show them."""

from collections.abc import Sequence
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
    """One change of one inbox, with the counts that belong to its version.

    `said` is what all recipients share: of an arrival the item without what differs, of a change of state all of it.
    """

    recipient_id: str
    version: int
    said: Rendered
    unread: int
    unseen: int
    epoch: UUID

    @property
    def is_arrival(self) -> bool:
        return bool(self.said["change"] == "added")

    @property
    def rendered(self) -> Rendered:
        """As the API answers it."""
        if self.is_arrival:
            return render_added({"seq": self.version, "version": self.version, **self.said["item"]})
        return self.said

    def announced(self) -> Rendered:
        """What the socket says of it."""
        return {**self.rendered, "epoch": str(self.epoch), "unread": self.unread, "unseen": self.unseen}


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with a `Z`, microseconds always written so that texts compare like times."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def render_content(notification: Row[Any]) -> Rendered:
    """What all recipients share: the part of an item that is the notification's own."""
    return _content(notification._asdict())


def render_items(rows: Sequence[Row[Any]]) -> list[Rendered]:
    """Inbox items as their owner sees them. The rows are of one answer, each the item joined with its notification."""
    names = rows[0]._fields if rows else ()  # asking each row for each value by its name would take most of the time
    return [_item(dict(zip(names, row, strict=True))) for row in rows]


def _item(values: Rendered) -> Rendered:
    state = {name: timestamp(values[name]) for name in STATE_TIMES}
    return {"seq": values["seq"], "version": values["version"], **_content(values), **state}


def render_arrival(notification: Row[Any]) -> Rendered:
    """What all recipients share at the moment when it arrives and nothing has been done with it."""
    return {"change": "added", "item": {**render_content(notification), **dict.fromkeys(STATE_TIMES)}}


def _content(values: Rendered) -> Rendered:
    content = {name: values[name] for name in CONTENT}
    times = {"created_at": timestamp(values["created_at"]), "expires_at": timestamp(values["expires_at"])}
    return {"id": str(values["id"]), **content, **times}


def render_added(item: Rendered) -> Rendered:
    return {"version": item["seq"], "change": "added", "item": item}


def render_change(row: Row[Any]) -> Rendered:
    """A change of state; `seqs` names the items, or `through` with the filters that narrowed it."""
    named = {"version": row.version, "change": row.change, "seqs": row.seqs, "through": row.through}
    filters = {name: value for name in ("kind", "topic") if (value := getattr(row, name)) is not None}
    return {**named, **filters, "at": timestamp(row.at)}

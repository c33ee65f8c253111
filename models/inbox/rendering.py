"""The JSON of an item and of a change, for REST answers and for the socket.

The push server joins a new item from the same rendered part: see `push.broker.wire`.

The part that all recipients share is rendered once, when the notification is accepted, and stored as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from lib.rendering.rendered_json import Json, members_format, members_of, object_format, object_of, render
from models.inbox.rows import ChangesRow, ItemRow, PageRow

Rendered = dict[str, Any]

CONTENT = ("kind", "actor", "title", "body", "url", "data", "severity", "topic")
STATE_TIMES = ("seen_at", "read_at", "archived_at")

_NUMBERS = members_format(seq="%d", version="%d")
_TIMES = members_format(**dict.fromkeys(STATE_TIMES, "%s"))
_NO_TIMES = members_format(**dict.fromkeys(STATE_TIMES, "null"))
_NEW_ITEM = object_of(_NUMBERS, "%s", _NO_TIMES)
_ITEM = object_of(_NUMBERS, "%s", _TIMES)
_ADDED = object_format(version="%d", change='"added"', item="%s")


@dataclass(frozen=True)
class Change:
    """One change of one inbox, as the API shows it, with the counts of its version."""

    recipient_id: str
    version: int
    rendered: Rendered
    unread: int
    unseen: int
    epoch: UUID

    def announced(self) -> Rendered:
        """The payload of the Socket.IO event."""
        return {**self.rendered, "epoch": str(self.epoch), "unread": self.unread, "unseen": self.unseen}


def timestamp(time: datetime | None) -> str | None:
    """RFC 3339 in UTC with a `Z`, always with microseconds, so that texts compare like times."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def render_content(id_: UUID, fields: Mapping[str, Any], created_at: datetime) -> Json:
    """The part of an item that all recipients share."""
    content = {name: fields[name] for name in CONTENT}
    times = {"created_at": timestamp(created_at), "expires_at": timestamp(fields["expires_at"])}
    return render({"id": str(id_), **content, **times})


def render_item(row: ItemRow | PageRow | ChangesRow) -> Json:
    """An inbox item as its owner sees it."""
    if row.seen_at is None:  # then it is neither read nor archived
        return Json(_NEW_ITEM % (row.seq, row.version, members_of(row.content)))
    times = _render_stored(row.seen_at), _render_stored(row.read_at), _render_stored(row.archived_at)
    return Json(_ITEM % (row.seq, row.version, members_of(row.content), *times))


def _render_stored(stored: str | None) -> str:
    """The JSON of a time as the database writes it: `2026-11-26 09:50:34.5` in UTC, with or without a final `+00`."""
    if stored is None:
        return "null"
    text = stored.removesuffix("+00")
    return f'"{text[:10]}T{text[11:19]}.{text[20:]:0<6}Z"'


def render_new_item(content: str) -> Json:
    """The part of a new item that all its recipients share: the item without `seq` and `version`."""
    return object_of(members_of(content), _NO_TIMES)


def render_added(seq: int, item: Json) -> Json:
    return Json(_ADDED % (seq, item))


def render_change(row: ChangesRow | Row[Any]) -> Rendered:
    """A change of state, from a row with the columns of `inbox_changes`."""
    named = {"version": row.version, "change": row.change, "seqs": row.seqs, "through": row.through}
    filters = {name: value for name in ("kind", "topic") if (value := getattr(row, name)) is not None}
    return {**named, **filters, "at": timestamp(row.at)}

"""One shape, one function: the item and the change as REST answers and the socket alike show them.

They are JSON text from the moment when a notification is accepted: what is the same for all who receive it is rendered
once, and stored so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row

from lib.rendering.rendered_json import Json, members_format, members_of, object_format, object_of, render

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


class StateChange(NamedTuple):
    """What an inbox remembers of a change of state; `seqs` names the items, or `through` with what narrowed it."""

    version: int
    change: str
    seqs: list[int] | None
    through: int | None
    kind: str | None
    topic: str | None
    at: datetime


def timestamp(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with a `Z`, microseconds always written so that texts compare like times."""
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def render_content(id_: UUID, said: Mapping[str, Any], created_at: datetime) -> Json:
    """What all recipients share: the part of an item that is the notification's own."""
    content = {name: said[name] for name in CONTENT}
    times = {"created_at": timestamp(created_at), "expires_at": timestamp(said["expires_at"])}
    return render({"id": str(id_), **content, **times})


def render_item(
    seq: int, version: int, content: str, seen_at: str | None, read_at: str | None, archived_at: str | None
) -> Json:
    """An inbox item as its owner sees it; the times as the database writes them."""
    if seen_at is None:  # then it is neither read nor archived
        return Json(_NEW_ITEM % (seq, version, members_of(content)))
    times = _render_stored(seen_at), _render_stored(read_at), _render_stored(archived_at)
    return Json(_ITEM % (seq, version, members_of(content), *times))


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


def render_change(row: StateChange | Row[Any]) -> Rendered:
    named = {"version": row.version, "change": row.change, "seqs": row.seqs, "through": row.through}
    filters = {name: value for name in ("kind", "topic") if (value := getattr(row, name)) is not None}
    return {**named, **filters, "at": timestamp(row.at)}

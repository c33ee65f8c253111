"""The JSON of an item and of a change: one function renders it for REST answers and for the socket.

The part that all recipients share is rendered once, when the notification is accepted, and stored as text.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from models.inbox.rows import ChangesRow, ItemRow, PageRow

Rendered = dict[str, Any]

CONTENT = ("kind", "actor", "title", "body", "url", "data", "severity", "topic")
STATE_TIMES = ("seen_at", "read_at", "archived_at")
NOTHING_DONE = "".join(f',"{name}":null' for name in STATE_TIMES)

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Json(str):
    """A JSON object, as it is sent."""

    __slots__ = ()


@dataclass(frozen=True)
class Change:
    """One change of one inbox, with the counts of its version.

    `payload` is the part that all recipients share: of an arrival the item without `seq` and `version`, of a change of
    state all of it.
    """

    recipient_id: str
    version: int
    payload: Rendered
    unread: int
    unseen: int
    epoch: UUID

    @property
    def is_arrival(self) -> bool:
        return bool(self.payload["change"] == "added")

    @property
    def rendered(self) -> Rendered:
        """As in the API's answers."""
        if self.is_arrival:
            item = {"seq": self.version, "version": self.version, **self.payload["item"]}
            return {"version": self.version, "change": "added", "item": item}
        return self.payload

    def announced(self) -> Rendered:
        """As on the socket."""
        return {**self.rendered, "epoch": str(self.epoch), "unread": self.unread, "unseen": self.unseen}


def timestamp(time: datetime | None) -> str | None:
    """RFC 3339 in UTC with a `Z`, always with microseconds, so that texts compare like times."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def as_json(payload: Mapping[str, Any]) -> Json:
    return Json(_encode(payload))


def render_content(id_: UUID, fields: Mapping[str, Any], created_at: datetime) -> Json:
    """The part of an item that all recipients share."""
    content = {name: fields[name] for name in CONTENT}
    times = {"created_at": timestamp(created_at), "expires_at": timestamp(fields["expires_at"])}
    return as_json({"id": str(id_), **content, **times})


def render_item(row: ItemRow | PageRow | ChangesRow) -> Json:
    """An inbox item as its owner sees it."""
    state = NOTHING_DONE
    if row.seen_at is not None:  # a read or archived item is seen
        times = zip(STATE_TIMES, (row.seen_at, row.read_at, row.archived_at), strict=True)
        state = "".join([f',"{name}":{_quoted_time(stored)}' for name, stored in times])
    return Json(f'{{"seq":{row.seq},"version":{row.version},{row.content[1:-1]}{state}}}')


def _quoted_time(stored: str | None) -> str:
    """Of `2026-11-26 09:50:34.5`, a UTC time with or without `+00` after it, the result of `timestamp` in quotes."""
    if stored is None:
        return "null"
    text = stored.removesuffix("+00")
    return f'"{text[:10]}T{text[11:19]}.{text[20:]:0<6}Z"'


def render_arrived(content: str) -> Json:
    """The part of an item that all recipients share, when it arrives and has no state yet."""
    return Json(f"{content[:-1]}{NOTHING_DONE}}}")


def render_arrival(content: str) -> Rendered:
    return {"change": "added", "item": json.loads(render_arrived(content))}


def render_added(seq: int, item: Json) -> Json:
    return Json(f'{{"version":{seq},"change":"added","item":{item}}}')


def render_change(row: ChangesRow | Row[Any]) -> Rendered:
    """A change of state, from a row with the columns of `inbox_changes`."""
    named = {"version": row.version, "change": row.change, "seqs": row.seqs, "through": row.through}
    filters = {name: value for name in ("kind", "topic") if (value := getattr(row, name)) is not None}
    return {**named, **filters, "at": timestamp(row.at)}

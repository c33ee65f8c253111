"""One shape, one function: the item and the change as REST answers and the socket alike show them.

They are JSON text from the moment when a notification is accepted: what is the same for all who receive it is rendered
once, and stored so.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Row

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
            item = {"seq": self.version, "version": self.version, **self.said["item"]}
            return {"version": self.version, "change": "added", "item": item}
        return self.said

    def announced(self) -> Rendered:
        """What the socket says of it."""
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


def as_json(said: Mapping[str, Any]) -> Json:
    return Json(_encode(said))


def render_content(id_: UUID, said: Mapping[str, Any], created_at: datetime) -> Json:
    """What all recipients share: the part of an item that is the notification's own."""
    content = {name: said[name] for name in CONTENT}
    times = {"created_at": timestamp(created_at), "expires_at": timestamp(said["expires_at"])}
    return as_json({"id": str(id_), **content, **times})


def render_item(
    seq: int, version: int, content: str, seen_at: str | None, read_at: str | None, archived_at: str | None
) -> Json:
    """An inbox item as its owner sees it; the times as the database writes them."""
    state = NOTHING_DONE
    if seen_at is not None:  # what is read or archived is seen
        times = zip(STATE_TIMES, (seen_at, read_at, archived_at), strict=True)
        state = "".join([f',"{name}":{_as_told(stored)}' for name, stored in times])
    return Json(f'{{"seq":{seq},"version":{version},{content[1:-1]}{state}}}')


def _as_told(stored: str | None) -> str:
    """Of `2026-11-26 09:50:34.5`, a UTC time with or without `+00` behind it, what `timestamp` makes, in quotes."""
    if stored is None:
        return "null"
    text = stored.removesuffix("+00")
    return f'"{text[:10]}T{text[11:19]}.{text[20:]:0<6}Z"'


def render_arrived(content: str) -> Json:
    """What all recipients share of an item at the moment when it arrives and nothing has been done with it."""
    return Json(f"{content[:-1]}{NOTHING_DONE}}}")


def render_arrival(content: str) -> Rendered:
    return {"change": "added", "item": json.loads(render_arrived(content))}


def render_added(seq: int, item: Json) -> Json:
    return Json(f'{{"version":{seq},"change":"added","item":{item}}}')


def render_change(row: StateChange | Row[Any]) -> Rendered:
    named = {"version": row.version, "change": row.change, "seqs": row.seqs, "through": row.through}
    filters = {name: value for name in ("kind", "topic") if (value := getattr(row, name)) is not None}
    return {**named, **filters, "at": timestamp(row.at)}

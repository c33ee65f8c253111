"""Read an inbox without the API: `models.inbox.reading` with its rendered JSON parsed."""

import json
from dataclasses import dataclass
from typing import Any

from models.db.database import Connection
from models.inbox import reading
from models.inbox.reading import Summary

Payload = dict[str, Any]


@dataclass(frozen=True)
class Page:
    items: list[Payload]
    next_before: int | None
    summary: Summary


@dataclass(frozen=True)
class Changes:
    changes: list[Payload]
    version: int
    more: bool
    summary: Summary


def page(conn: Connection, recipient_id: str, *, limit: int, **filters: Any) -> Page:
    found = reading.page(conn, recipient_id, limit=limit, **filters)
    return Page([json.loads(item) for item in found.items], found.next_before, found.summary)


def changes(conn: Connection, recipient_id: str, since: int, limit: int) -> Changes:
    found = reading.changes(conn, recipient_id, since, limit)
    return Changes([json.loads(one) for one in found.changes], found.version, found.more, found.summary)

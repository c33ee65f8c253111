"""Accepting notifications: each is stored once, under its producer's idempotency key."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, tuple_

from models.db.database import Connection
from models.db.insert import insert_or_skip
from models.inbox.rendering import render_content
from models.notifications.conditions import RELAY_AFTER
from models.notifications.ids import new_id
from models.schema.notifications import notifications

# The fields of a new notification that have a column of their own; the others are in `content` alone.
_COLUMNS = (
    *("producer_id", "kind", "actor", "severity", "recipients", "topic", "everyone", "expires_at", "deliver_at"),
    "idempotency_key",
)


class IdempotencyKeyReused(Exception):
    """This key was used with another body."""


@dataclass(frozen=True)
class NewNotification:
    """What a producer publishes. Exactly one of `recipients`, `topic`, `everyone` says who gets it."""

    producer_id: str
    kind: str
    title: str
    body: str | None = None
    url: str | None = None
    data: dict[str, Any] | None = None
    actor: str | None = None
    severity: str = "none"
    recipients: tuple[str, ...] | None = None
    topic: str | None = None
    everyone: bool = False
    expires_at: datetime | None = None
    deliver_at: datetime | None = None
    idempotency_key: str | None = None
    batch: str | None = None  # a digest of the batch it came in: its key is the batch's, and it keeps the batch's order


def is_due(new: NewNotification, now: datetime) -> bool:
    return new.deliver_at is None or new.deliver_at <= now


def accept(conn: Connection, new: Sequence[NewNotification], now: datetime) -> list[UUID]:
    """Store notifications, all or none; the commit makes them a promise. Returns their ids in order.

    For an idempotency key that is known, the id is the one stored under it. Raises `IdempotencyKeyReused` if the
    content differs from the stored one.
    """
    accepted = accept_each(conn, new, now)
    ids = [one for one in accepted if isinstance(one, UUID)]
    if len(ids) < len(accepted):
        raise IdempotencyKeyReused
    return ids


def accept_each(conn: Connection, new: Sequence[NewNotification], now: datetime) -> list[UUID | IdempotencyKeyReused]:
    """As `accept`, but each by itself: only those that reuse a key are left out.

    One statement writes, so it needs no transaction around it.
    """
    ids = sorted(new_id(now) for _ in new)  # a batch keeps its order, also where it is sorted by id
    rows = [_row(one, id_, _batch(one, ids), now) for one, id_ in zip(new, ids, strict=True)]
    # In the order of keys: two transactions with the same keys wait for each other instead of deadlocking.
    remaining, known = sorted(rows, key=_key), dict[tuple[str, str], Row[Any]]()
    while remaining:
        insert_or_skip(conn, notifications, remaining)
        keyed = [row for row in remaining if row["idempotency_key"] is not None]
        known |= _known(conn, keyed) if keyed else {}
        remaining = [row for row in keyed if _key(row) not in known]  # the retention deleted the row between the two
    return [_first_id(row, known.get(_key(row))) for row in rows]


def _batch(new: NewNotification, ids: Sequence[UUID]) -> UUID | None:
    """The batch's name in the database: its first id. A batch of one has no order to keep."""
    return ids[0] if new.batch is not None and len(ids) > 1 else None


def _row(new: NewNotification, id_: UUID, batch: UUID | None, now: datetime) -> dict[str, Any]:
    fields = vars(new)
    return {
        **{name: fields[name] for name in _COLUMNS},
        "content": render_content(id_, fields, now),
        "id": id_,
        "batch": batch,
        "created_at": now,
        "enqueued": 0,
        "enqueue_at": now + RELAY_AFTER if is_due(new, now) else new.deliver_at,
        "fingerprint": "" if new.idempotency_key is None else _fingerprint(fields),
    }


def _fingerprint(fields: Mapping[str, Any]) -> str:
    compared = {name: value for name, value in fields.items() if name != "idempotency_key"}
    return hashlib.sha256(json.dumps(compared, sort_keys=True, default=datetime.isoformat).encode()).hexdigest()


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["producer_id"], row["idempotency_key"] or ""


def _first_id(row: Mapping[str, Any], known: Row[Any] | None) -> UUID | IdempotencyKeyReused:
    """The id under which this was accepted first."""
    if known is not None and known.fingerprint != row["fingerprint"]:
        return IdempotencyKeyReused()
    id_: UUID = row["id"] if known is None else known.id
    return id_


def _known(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Row[Any]]:
    """The notifications that are stored under the keys of these rows."""
    key = tuple_(notifications.c.producer_id, notifications.c.idempotency_key)
    shown = (notifications.c[name] for name in ("producer_id", "idempotency_key", "id", "fingerprint"))
    stored = conn.execute(select(*shown).where(key.in_([_key(row) for row in rows])))
    return {(row.producer_id, row.idempotency_key): row for row in stored}

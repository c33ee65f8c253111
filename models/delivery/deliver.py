"""Delivering: an accepted notification becomes an item in each recipient's inbox, once."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, func, select, update

from models.db.database import Connection
from models.delivery import postgres
from models.delivery.items import write_items
from models.delivery.outcome import Delivery
from models.notifications.conditions import RESET_ATTEMPTS, WAITING, is_due_by, unexpired
from models.schema.notifications import notifications

ITEMS_AT_ONCE = 1_000  # in one transaction: an inbox is locked for a fraction of a second at most


def deliver(conn: Connection, ids: Sequence[UUID], now: datetime, *, ordered: bool = False) -> Delivery:
    """Deliver the direct notifications among these and write their items, in the order of ids.

    A transaction writes a bounded number of items. Only undelivered notifications are delivered, so a doubled,
    redelivered or raced call finds nothing to do. `ordered`: `models.delivery.batch_order` has just found that these
    may go together.
    """
    if conn.dialect.name == "postgresql":
        return postgres.deliver(conn, ids, ITEMS_AT_ONCE, now, ordered=ordered)
    waiting = _lock(conn, ids, now)
    broadcasts = [row.id for row in waiting if row.size is None]
    direct = [row for row in waiting if row.size is not None]
    behind = [] if ordered else _behind(conn, direct, now)
    fitting, remaining = _split([row for row in direct if row.id not in behind])
    claimed_rows = _claim(conn, fitting, now)
    alive = [row for row in claimed_rows if row.expires_at is None or row.expires_at > now]
    pairs = [(row, recipient) for row in alive for recipient in row.recipients]
    batches = {row.batch for row in claimed_rows if row.batch is not None}
    return Delivery(write_items(conn, pairs, now), remaining, broadcasts, behind, sorted(batches))


def _lock(conn: Connection, ids: Sequence[UUID], now: datetime) -> list[Row[Any]]:
    """Those that wait, with the number of recipients that they name (none: for a fan-out).

    They are locked in the order of ids, so that two workers with the same ones wait for each other instead of
    deadlocking.
    """
    waiting = notifications.c.id.in_(ids), WAITING, is_due_by(now)
    size = func.json_array_length(notifications.c.recipients).label("size")
    columns = notifications.c.id, notifications.c.batch, size
    return list(conn.execute(select(*columns).where(*waiting).order_by(notifications.c.id).with_for_update()))


def _behind(conn: Connection, rows: Sequence[Row[Any]], now: datetime) -> list[UUID]:
    """Those after one of their batch that waits and is not among them."""
    batches = {row.batch for row in rows if row.batch is not None}
    if not batches:
        return []
    ids = [row.id for row in rows]
    others = notifications.c.batch.in_(batches), notifications.c.id.not_in(ids), WAITING, is_due_by(now), unexpired(now)
    first = select(notifications.c.batch, func.min(notifications.c.id)).where(*others).group_by(notifications.c.batch)
    ahead = {batch: id_ for batch, id_ in conn.execute(first)}
    return [row.id for row in rows if row.batch in ahead and row.id > ahead[row.batch]]


def _split(waiting: Sequence[Row[Any]]) -> tuple[list[UUID], list[UUID]]:
    """As many as one transaction may write items for, at least one; and the others."""
    reach = list(accumulate(row.size for row in waiting))
    fitting = max(1, bisect_right(reach, ITEMS_AT_ONCE))
    ids = [row.id for row in waiting]
    return ids[:fitting], ids[fitting:]


def _claim(conn: Connection, ids: Sequence[UUID], now: datetime) -> list[Row[Any]]:
    if not ids:
        return []
    size = func.json_array_length(notifications.c.recipients)
    delivered = (
        update(notifications)
        .where(notifications.c.id.in_(ids))
        .values(
            delivered_at=now,
            delivered_count=case((notifications.c.expires_at <= now, 0), else_=size),
            enqueue_at=notifications.c.expires_at,
            **RESET_ATTEMPTS,
        )
        .returning(*notifications.c)
    )
    return sorted(conn.execute(delivered), key=lambda row: row.id)

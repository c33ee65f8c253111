"""How many recipients saw and read a notification: counted when its producer asks; for large audiences, cached.

For large audiences the maintenance counts; `counted_at` says when: a minute ago at first, later no longer ago than a
tenth of the notification's age. The last count is taken when the notification is withdrawn, before its first item is
removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update

from models.db.database import Connection
from models.limits import COUNTED_AT_ONCE
from models.notifications.conditions import unexpired
from models.schema.inbox import inbox_items
from models.schema.notifications import LARGE, notifications

RECOUNT_AFTER = timedelta(minutes=1)
SHARE_OF_AGE = 10  # a hundred counts in a month, which cost less than the delivery


@dataclass(frozen=True)
class ReceiptCounts:
    """How many of the recipients had seen it, and read it, at that time."""

    seen: int
    read: int
    counted_at: datetime


def of_notification(conn: Connection, notification: Row[Any], now: datetime) -> ReceiptCounts:
    """The receipts of this row, which was read in the same transaction."""
    if notification.counted_at is not None:
        return ReceiptCounts(notification.seen, notification.read, notification.counted_at)
    if notification.delivered_count > COUNTED_AT_ONCE:
        return ReceiptCounts(0, 0, notification.created_at)  # not counted yet; the maintenance does so within a minute
    return count(conn, notification.id, now)


def count(conn: Connection, notification_id: UUID, now: datetime) -> ReceiptCounts:
    """Count the items of this notification: one second for a million."""
    counts = select(func.count(inbox_items.c.seen_at), func.count(inbox_items.c.read_at))
    seen, read = conn.execute(counts.where(inbox_items.c.notification_id == notification_id)).one()
    return ReceiptCounts(seen, read, now)


def of_items(items: Sequence[Row[Any]], now: datetime) -> ReceiptCounts:
    """The receipts, from all items of a notification."""
    seen, read = (sum(getattr(item, name) is not None for item in items) for name in ("seen_at", "read_at"))
    return ReceiptCounts(seen, read, now)


def due(conn: Connection, now: datetime) -> list[UUID]:
    """The notifications with a large audience that should be counted (again), the longest overdue first."""
    columns = (notifications.c[name] for name in ("id", "created_at", "deliver_at", "counted_at"))
    alive = LARGE & notifications.c.withdrawn_at.is_(None) & notifications.c.cancelled_at.is_(None) & unexpired(now)
    overdue = {row.id: now - _next_count(row) for row in conn.execute(select(*columns).where(alive))}
    return sorted((id_ for id_, time in overdue.items() if time >= timedelta(0)), key=lambda id_: -overdue[id_])


def store(conn: Connection, notification_id: UUID, counts: ReceiptCounts) -> None:
    """Store a count, unless a later one is stored, or the notification has ended since: its withdrawal counts last."""
    older = notifications.c.counted_at.is_(None) | (notifications.c.counted_at < counts.counted_at)
    alive = notifications.c.cancelled_at.is_(None) & unexpired(counts.counted_at)
    stored = update(notifications).where(notifications.c.id == notification_id, older, alive)
    conn.execute(stored.values(vars(counts)))


def _next_count(row: Row[Any]) -> datetime:
    since: datetime = max(row.deliver_at or row.created_at, row.created_at)
    last: datetime | None = row.counted_at
    return since if last is None else last + max(RECOUNT_AFTER, (last - since) / SHARE_OF_AGE)

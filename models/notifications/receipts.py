"""How many saw and read a notification: counted when its producer asks, or by upkeep where many have it.

Of what many have the numbers are those of a moment that is told with them: a minute ago at first, later no longer ago
than a tenth of its age. The last count is taken when it is withdrawn, before it leaves the first inbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select, update

from models.db.database import Session
from models.limits import COUNTED_AT_ONCE
from models.notifications.conditions import unexpired
from models.schema.inbox import inbox_items
from models.schema.notifications import LARGE, notifications

AGAIN_AFTER = timedelta(minutes=1)
SHARE_OF_AGE = 10  # in a month that is a hundred counts; what delivered it cost more


@dataclass(frozen=True)
class Tally:
    """How many of those who had it at that moment had seen it, and read it."""

    seen: int
    read: int
    counted_at: datetime


def of(session: Session, notification: Row[Any], now: datetime) -> Tally:
    """Of this notification, as its row is read in the same session."""
    if notification.counted_at is not None:
        return Tally(notification.seen, notification.read, notification.counted_at)
    if notification.recipient_count > COUNTED_AT_ONCE:
        return Tally(0, 0, notification.created_at)  # then nobody had it yet; upkeep counts within a minute
    return count(session, notification.id, now)


def count(session: Session, notification_id: UUID, now: datetime) -> Tally:
    """It reads every inbox that has it: a second for a million."""
    holders = select(func.count(inbox_items.c.seen_at), func.count(inbox_items.c.read_at))
    seen, read = session.execute(holders.where(inbox_items.c.notification_id == notification_id)).one()
    return Tally(seen, read, now)


def of_items(items: Sequence[Row[Any]], now: datetime) -> Tally:
    """Where all of those that have it are at hand."""
    seen, read = (sum(getattr(item, name) is not None for item in items) for name in ("seen_at", "read_at"))
    return Tally(seen, read, now)


def due(session: Session, now: datetime) -> list[UUID]:
    """Those that many have and that should be counted (again), the one that waits for longest first."""
    columns = (notifications.c[name] for name in ("id", "created_at", "deliver_at", "counted_at"))
    alive = LARGE & notifications.c.withdrawn_at.is_(None) & notifications.c.cancelled_at.is_(None) & unexpired(now)
    waited = {row.id: now - _next_count(row) for row in session.execute(select(*columns).where(alive))}
    return sorted((id_ for id_, time in waited.items() if time >= timedelta(0)), key=lambda id_: -waited[id_])


def keep(session: Session, notification_id: UUID, tally: Tally) -> None:
    """Unless a later count is kept, or it has ended since: then the last count is taken by its withdrawal."""
    older = notifications.c.counted_at.is_(None) | (notifications.c.counted_at < tally.counted_at)
    alive = notifications.c.cancelled_at.is_(None) & unexpired(tally.counted_at)
    kept = update(notifications).where(notifications.c.id == notification_id, older, alive)
    session.execute(kept.values(vars(tally)))


def _next_count(row: Row[Any]) -> datetime:
    since: datetime = max(row.deliver_at or row.created_at, row.created_at)
    last: datetime | None = row.counted_at
    return since if last is None else last + max(AGAIN_AFTER, (last - since) / SHARE_OF_AGE)

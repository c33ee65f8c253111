"""Cancelling a notification, and waiting for the transactions that still write its items."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import case, select, update

from models.db.database import Connection
from models.notifications.conditions import RELAY_AFTER, RESET_ATTEMPTS
from models.schema.notifications import notifications


def cancel(conn: Connection, producer_id: str, notification_id: UUID, now: datetime) -> bool:
    """Cancel a notification of this producer: it is not delivered any more, and the relay has it withdrawn.

    A transaction that writes its items at the moment may still commit them: see `is_being_written`.

    True also if it was cancelled before; False if this producer has no such notification.
    """
    own = (notifications.c.producer_id == producer_id) & (notifications.c.id == notification_id)
    stop = update(notifications).where(own, notifications.c.cancelled_at.is_(None))
    enqueue_at = case((notifications.c.withdrawn_at.is_not(None), None), else_=now + RELAY_AFTER)
    if conn.execute(stop.values(cancelled_at=now, enqueue_at=enqueue_at, **RESET_ATTEMPTS)).rowcount:
        return True
    return conn.scalar(select(notifications.c.id).where(own)) is not None


def is_being_written(conn: Connection, notification_id: UUID) -> bool:
    """Whether another transaction delivers this notification at the moment, or a part of it.

    Call it after the cancellation is committed. Once it is False, no more items are written: whoever writes items
    locks the notification first, and finds that it is cancelled. On SQLite there is one writer at a time.

    Fan-outs of one broadcast share their lock. If another transaction holds an exclusive one, as a withdrawal does for
    the time of its chunk, no fan-out is at work.
    """
    row = select(notifications.c.recipients.is_(None)).where(notifications.c.id == notification_id)
    if conn.scalar(row.with_for_update(skip_locked=True)) is not None:
        return False
    is_broadcast = conn.scalar(row)
    shared = row.with_for_update(read=True, key_share=True, skip_locked=True)
    return not is_broadcast or conn.scalar(shared) is not None

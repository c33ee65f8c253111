"""Cancelling ends with whoever was writing the notification's items when it was cancelled."""

from uuid import UUID

from sqlalchemy import select

from models.db.database import Session
from models.tables import notifications


def is_being_written(session: Session, notification_id: UUID) -> bool:
    """Whether another transaction delivers or withdraws this notification at the moment, or a part of it.

    Asked after the cancellation is committed: once it is False, no more items of it are written. Who writes some locks
    the notification first, and finds there that it is cancelled. On SQLite nobody writes beside us.
    """
    free = select(notifications.c.id).where(notifications.c.id == notification_id).with_for_update(skip_locked=True)
    return session.scalar(free) is None

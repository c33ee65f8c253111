"""Cancelling ends with whoever was writing the notification's items when it was cancelled."""

from uuid import UUID

from sqlalchemy import select

from models.db.database import Session
from models.tables import notifications


def is_being_written(session: Session, notification_id: UUID) -> bool:
    """Whether another transaction delivers this notification at the moment, or a part of it.

    Asked after the cancellation is committed: once it is False, no more items of it are written. Who writes some locks
    the notification first, and finds there that it is cancelled. On SQLite nobody writes beside us.

    A fan-out shares its lock with others. Where somebody has a broadcast for himself, as its withdrawal does for as
    long as its chunk takes, nobody fans it out.
    """
    row = select(notifications.c.recipients.is_(None)).where(notifications.c.id == notification_id)
    if session.scalar(row.with_for_update(skip_locked=True)) is not None:
        return False
    is_broadcast = session.scalar(row)
    shared = row.with_for_update(read=True, key_share=True, skip_locked=True)
    return not is_broadcast or session.scalar(shared) is not None

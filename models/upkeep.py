"""Forgetting what is older than its retention: in batches that hold no lock for long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, func, select, tuple_, update

from models.database import Session
from models.tables import inbox_changes, inbox_items, inboxes, notifications


@dataclass(frozen=True)
class Retention:
    """How long notifications with their items are kept, and how long the changes of state."""

    notifications: timedelta
    changes: timedelta


def expire_old(session: Session, retention: Retention, now: datetime, size: int) -> int:
    """Let the items of old notifications expire, the oldest first; answers how many were made to, at most `size`.

    The relay withdraws them as it does what expires by itself, so every device hears of it.
    """
    old = notifications.c.created_at < now - retention.notifications
    alive = notifications.c.withdrawn_at.is_(None) & func.coalesce(notifications.c.expires_at > now, True)
    oldest = select(notifications.c.id).where(old, alive).order_by(notifications.c.created_at).limit(size)
    ids = session.scalars(oldest.with_for_update(skip_locked=True)).all()
    if ids:
        end = update(notifications).where(notifications.c.id.in_(ids))
        session.execute(end.values(expires_at=now, enqueue_at=now, enqueued=0))
    return len(ids)


def delete_old(session: Session, retention: Retention, now: datetime, size: int) -> int:
    """Delete old notifications that are in no inbox any more, at most `size`; their idempotency keys go with them."""
    old = notifications.c.created_at < now - retention.notifications
    held = exists().where(inbox_items.c.notification_id == notifications.c.id)
    gone = select(notifications.c.id).where(old, notifications.c.withdrawn_at.is_not(None), ~held)
    ids = session.scalars(gone.order_by(notifications.c.created_at).limit(size).with_for_update(skip_locked=True)).all()
    if ids:
        session.execute(delete(notifications).where(notifications.c.id.in_(ids)))
    return len(ids)


def forget_changes(session: Session, retention: Retention, now: datetime, size: int) -> int:
    """Forget old changes, the oldest first, at most `size`; who asks for them is told to load the inbox anew."""
    key = (inbox_changes.c.recipient_id, inbox_changes.c.version)
    oldest = select(*key).where(inbox_changes.c.at < now - retention.changes).order_by(inbox_changes.c.at).limit(size)
    found = session.execute(oldest).all()
    forgotten = {recipient: max(v for one, v in found if one == recipient) for recipient in {row[0] for row in found}}
    for recipient, version in sorted(forgotten.items()):
        kept = update(inboxes).where(inboxes.c.recipient_id == recipient, inboxes.c.changes_since < version)
        session.execute(kept.values(changes_since=version))
    if found:
        session.execute(delete(inbox_changes).where(tuple_(*key).in_([tuple(row) for row in found])))
    return len(found)

"""Deleting rows that are older than their retention, in batches that hold no lock for long."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, bindparam, delete, exists, select, tuple_, update

from models.db.database import Connection
from models.db.literals import inline_literal
from models.notifications.conditions import RESET_ATTEMPTS, unexpired
from models.revocations import KEPT as REVOCATIONS_KEPT
from models.schema.delivery import fanouts
from models.schema.inbox import inbox_changes, inbox_items, inboxes
from models.schema.notifications import notifications
from models.schema.revocations import revocations


@dataclass(frozen=True)
class Retention:
    """How long notifications with their items are kept, and how long the changes of state."""

    notifications: timedelta
    changes: timedelta


def expire_old(conn: Connection, retention: Retention, now: datetime, size: int) -> int:
    """Make old notifications expire, the oldest first; returns how many, at most `size`.

    The relay has them withdrawn like any that expire, so every device learns of it.
    """
    kept = notifications.c.withdrawn_at.is_(None) & notifications.c.retired_at.is_(None)
    alive = kept & unexpired(now)
    oldest = select(notifications.c.id).where(_old(retention, now), alive).order_by(notifications.c.created_at)
    ids = conn.scalars(oldest.limit(inline_literal(size)).with_for_update(skip_locked=True)).all()
    if ids:
        end = update(notifications).where(notifications.c.id.in_(ids))
        conn.execute(end.values(retired_at=now, expires_at=now, enqueue_at=now, **RESET_ATTEMPTS))
    return len(ids)


def delete_old(conn: Connection, retention: Retention, now: datetime, size: int) -> int:
    """Delete old notifications that are in no inbox any more, with their idempotency keys; returns how many."""
    in_an_inbox = exists().where(inbox_items.c.notification_id == notifications.c.id)
    gone = select(notifications.c.id).where(
        _old(retention, now), notifications.c.withdrawn_at.is_not(None), ~in_an_inbox
    )
    ids = conn.scalars(
        gone.order_by(notifications.c.created_at).limit(inline_literal(size)).with_for_update(skip_locked=True)
    ).all()
    if ids:
        conn.execute(delete(fanouts).where(fanouts.c.notification_id.in_(ids)))
        conn.execute(delete(notifications).where(notifications.c.id.in_(ids)))
    return len(ids)


def forget_changes(conn: Connection, retention: Retention, now: datetime, size: int) -> int:
    """Delete old changes, the oldest first, at most `size`; a client that needs them has to load the inbox anew.

    Skips inboxes that another transaction has locked; a later run deletes theirs.
    """
    key = (inbox_changes.c.recipient_id, inbox_changes.c.version)
    oldest = (
        select(*key)
        .join(inboxes, inboxes.c.recipient_id == inbox_changes.c.recipient_id)
        .where(inbox_changes.c.at < now - retention.changes)
        .order_by(inbox_changes.c.at)
        .limit(inline_literal(size))
        .with_for_update(of=inboxes, key_share=True, skip_locked=True)
    )
    found = [(recipient, version) for recipient, version in conn.execute(oldest)]
    if found:
        _raise_floors(conn, dict(sorted(found)))  # sorted, the highest version of each recipient comes last
        conn.execute(delete(inbox_changes).where(tuple_(*key).in_(found)))
    return len(found)


def forget_revocations(conn: Connection, _retention: Retention, now: datetime, size: int) -> int:
    """Delete revocations that are older than any valid token, at most `size`."""
    is_old = revocations.c.revoked_before < now - REVOCATIONS_KEPT
    some = select(revocations.c.user_id).where(is_old).limit(inline_literal(size))
    # Repeat the age check in the DELETE: the row may have been renewed since the subquery ran.
    return conn.execute(delete(revocations).where(revocations.c.user_id.in_(some), is_old)).rowcount


def _raise_floors(conn: Connection, floors: dict[str, int]) -> None:
    lower = (inboxes.c.recipient_id == bindparam("recipient")) & (inboxes.c.changes_since < bindparam("floor"))
    raised = update(inboxes).where(lower).values(changes_since=bindparam("floor"))
    conn.execute(raised, [{"recipient": recipient, "floor": floor} for recipient, floor in floors.items()])


def _old(retention: Retention, now: datetime) -> ColumnElement[bool]:
    """Whether a notification is old. The age of a scheduled one counts from `deliver_at`."""
    limit = now - retention.notifications
    delivery_is_old = notifications.c.deliver_at.is_(None) | (notifications.c.deliver_at < limit)
    return (notifications.c.created_at < limit) & delivery_is_old

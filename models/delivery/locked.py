"""Inboxes that another transaction has locked, and the notifications that name them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from models.db.database import Connection
from models.inbox.versions import lock_inboxes
from models.notifications.conditions import RELAY_AFTER, has_a_step
from models.schema.inbox import inboxes
from models.schema.notifications import notifications


def recipients_of(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The recipients that these notifications name; none for a broadcast."""
    named = select(notifications.c.id, notifications.c.recipients).where(notifications.c.id.in_(ids))
    return {row.id: row.recipients or [] for row in conn.execute(named)}


def locked_of(conn: Connection, recipients: Collection[str]) -> frozenset[str]:
    """Those of them whose inboxes another transaction has locked.

    The others are locked until this transaction ends. It should end at once.
    """
    known = conn.scalars(select(inboxes.c.recipient_id).where(inboxes.c.recipient_id.in_(recipients))).all()
    return frozenset(known) - frozenset(lock_inboxes(conn, known, skip_locked=True))


def reschedule(conn: Connection, ids: Collection[UUID], now: datetime) -> None:
    """Have the relay enqueue these soon. Their backoff does not grow, since a lock is no failure of theirs."""
    later = notifications.c.id.in_(ids), has_a_step(now), notifications.c.enqueue_at > now + RELAY_AFTER
    conn.execute(update(notifications).where(*later).values(enqueue_at=now + RELAY_AFTER))

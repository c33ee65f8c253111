"""The subscribers of topics."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select

from models.db.database import Connection
from models.db.insert import insert_new
from models.inbox.reading import open_inboxes
from models.schema.subscriptions import subscriptions


def subscribe(conn: Connection, topic: str, recipient_ids: Sequence[str], now: datetime) -> int:
    """Subscribe recipients, and create their inboxes; returns how many were not subscribed before."""
    open_inboxes(conn, recipient_ids, now)
    rows = [{"topic": topic, "recipient_id": one, "created_at": now} for one in sorted(set(recipient_ids))]
    return insert_new(conn, subscriptions, rows)


def unsubscribe(conn: Connection, topic: str, recipient_ids: Sequence[str]) -> int:
    """Unsubscribe recipients; returns how many were subscribed before."""
    named = subscriptions.c.recipient_id.in_(set(recipient_ids))
    return conn.execute(delete(subscriptions).where(subscriptions.c.topic == topic, named)).rowcount


def topics_of(conn: Connection, recipient_id: str) -> list[str]:
    query = select(subscriptions.c.topic).where(subscriptions.c.recipient_id == recipient_id)
    return list(conn.scalars(query.order_by(subscriptions.c.topic)))

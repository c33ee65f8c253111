"""The subscribers of topics."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select

from models.db.database import Session
from models.db.insert import insert_new
from models.inbox.reading import open_inboxes
from models.schema.subscriptions import subscriptions


def subscribe(session: Session, topic: str, recipient_ids: Sequence[str], now: datetime) -> int:
    """Subscribe recipients, and create their inboxes; returns how many were not subscribed before."""
    open_inboxes(session, recipient_ids, now)
    rows = [{"topic": topic, "recipient_id": one, "created_at": now} for one in sorted(set(recipient_ids))]
    return insert_new(session, subscriptions, rows)


def unsubscribe(session: Session, topic: str, recipient_ids: Sequence[str]) -> int:
    """Unsubscribe recipients; returns how many were subscribed before."""
    named = subscriptions.c.recipient_id.in_(set(recipient_ids))
    return session.execute(delete(subscriptions).where(subscriptions.c.topic == topic, named)).rowcount


def topics_of(session: Session, recipient_id: str) -> list[str]:
    query = select(subscriptions.c.topic).where(subscriptions.c.recipient_id == recipient_id)
    return list(session.scalars(query.order_by(subscriptions.c.topic)))

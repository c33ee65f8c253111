"""The states of a notification as SQL conditions, and when the relay enqueues it again."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_

from models.schema.notifications import notifications

# The API enqueues what it accepts. The relay enqueues again what is still undelivered after this time, then after
# twice as long, and so on, so that it does not feed an overload.
RELAY_AFTER = timedelta(seconds=5)
RELAY_AFTER_AT_MOST = timedelta(minutes=5)

UNDELIVERED = notifications.c.delivered_at.is_(None) & notifications.c.cancelled_at.is_(None)
WAITING = UNDELIVERED & notifications.c.parked_at.is_(None)

# The values to set when a step begins, or has made progress: it has all attempts before it.
RESET_ATTEMPTS: dict[str, Any] = {"enqueued": 0, "attempts": 0, "parked_at": None}


def is_due_by(now: datetime) -> ColumnElement[bool]:
    """Whether the time of delivery that its producer set has come; if none is set, it is due at once."""
    return notifications.c.deliver_at.is_(None) | (notifications.c.deliver_at <= now)


def unexpired(now: datetime) -> ColumnElement[bool]:
    return notifications.c.expires_at.is_(None) | (notifications.c.expires_at > now)


def has_a_step(now: datetime) -> ColumnElement[bool]:
    """Whether it is to be delivered or withdrawn, and is not parked."""
    ended = or_(notifications.c.cancelled_at.is_not(None), notifications.c.expires_at <= now)
    to_withdraw = and_(notifications.c.withdrawn_at.is_(None), ended)
    return and_(notifications.c.parked_at.is_(None), or_(UNDELIVERED, to_withdraw))


def until_expiry(enqueue_at: datetime, expires_at: datetime | None, now: datetime) -> datetime:
    """The earlier of the two times, so that a notification is withdrawn when it expires."""
    return enqueue_at if expires_at is None or expires_at <= now else min(enqueue_at, expires_at)

"""The transactional outbox: the relay enqueues what is committed and whose next step is due.

A task may be lost with its broker, its worker or its process. The notification's row is the outbox: `enqueue_at` says
when the relay enqueues its next step, again and again, until the step is done.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import and_, bindparam, case, func, select, update

from models.db.database import Connection
from models.db.literals import inline_literal
from models.notifications.conditions import (
    RELAY_AFTER,
    RELAY_AFTER_AT_MOST,
    UNDELIVERED,
    WAITING,
    unexpired,
    until_expiry,
)
from models.schema.notifications import notifications


@dataclass(frozen=True)
class Due:
    """The notifications that the relay enqueues: to deliver, and to withdraw.

    Of these, `broadcasts` are for a topic or for everyone; `redelivered` were enqueued before, or an attempt at them
    failed. `batches` maps those that were posted in a batch to it.
    """

    deliver: list[UUID]
    withdraw: list[UUID]
    broadcasts: frozenset[UUID] = field(default=frozenset(), compare=False)
    redelivered: frozenset[UUID] = field(default=frozenset(), compare=False)
    batches: dict[UUID, UUID] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Undelivered:
    """The notifications that are accepted and due, in no inbox yet, and not parked."""

    count: int
    oldest_seconds: float


def due(conn: Connection, now: datetime, limit: int) -> Due:
    """Take the notifications whose next step is due, oldest first, and set when the relay enqueues each again.

    An expired notification is withdrawn, whether it was delivered, parked or neither. Its `enqueue_at` is never later
    than its expiry. From then on it is at another step, and has all attempts before it.
    """
    expires = and_(notifications.c.cancelled_at.is_(None), ~unexpired(now))
    starts = and_(expires, notifications.c.enqueue_at <= notifications.c.expires_at)
    before = {name: case((starts, 0), else_=notifications.c[name]) for name in ("enqueued", "attempts")}
    shown = (notifications.c[name] for name in ("id", "batch", "expires_at"))
    columns = (*(count.label(name) for name, count in before.items()), *shown)
    deliverable = UNDELIVERED & unexpired(now)
    is_broadcast = notifications.c.recipients.is_(None)
    oldest_due = (
        select(*columns, deliverable.label("deliverable"), is_broadcast.label("is_broadcast"))
        .where(notifications.c.enqueue_at <= now)
        .order_by(notifications.c.enqueue_at, notifications.c.id)
        .limit(inline_literal(limit))
        .with_for_update(skip_locked=True)
    )
    taken = conn.execute(oldest_due).all()
    put_off = (
        update(notifications)
        .where(notifications.c.id == bindparam("due_id"))
        .values(
            enqueue_at=bindparam("next_attempt_at"),
            enqueued=before["enqueued"] + 1,
            attempts=before["attempts"],
            parked_at=None,  # a parked notification that is due has expired
        )
    )
    if taken:
        times = [(row.id, until_expiry(now + backoff(row.enqueued), row.expires_at, now)) for row in taken]
        conn.execute(put_off, [{"due_id": id_, "next_attempt_at": time} for id_, time in times])
    return Due(
        [row.id for row in taken if row.deliverable],
        [row.id for row in taken if not row.deliverable],
        broadcasts=frozenset(row.id for row in taken if row.is_broadcast),
        redelivered=frozenset(row.id for row in taken if row.enqueued or row.attempts),
        batches={row.id: row.batch for row in taken if row.batch is not None},
    )


def backoff(times_enqueued: int) -> timedelta:
    doubled: timedelta = RELAY_AFTER * 2 ** min(times_enqueued, 10)
    return min(doubled, RELAY_AFTER_AT_MOST)


def undelivered(conn: Connection, now: datetime) -> Undelivered:
    """How many notifications wait for their delivery, and for how long."""
    deliver_at, created_at = notifications.c.deliver_at, notifications.c.created_at
    waiting_since = case((deliver_at > created_at, deliver_at), else_=created_at)
    overdue = WAITING & (waiting_since <= now)
    count, oldest = conn.execute(select(func.count(), func.min(waiting_since)).where(overdue)).one()
    return Undelivered(count, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)

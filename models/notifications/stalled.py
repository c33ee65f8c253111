"""Notifications that are due and that nobody has worked on for half a minute.

They do not move, or they wait in a backlog that the workers are too slow for: one look cannot tell.
Not stalled are what is scheduled, parked, or waits between two attempts; and a broadcast of which a chunk was written
a moment ago, as each chunk puts off its `enqueue_at`. Nor is the rest of a batch with such a member: it may be held
back by that, see `models.delivery.batch_order`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, not_, or_, select

from models.db.database import Session
from models.db.literals import inline_literal
from models.delivery.fanout import FANOUT_PATIENCE
from models.notifications.conditions import RELAY_AFTER_AT_MOST, WAITING, is_due_by, unexpired
from models.schema.notifications import notifications

STALLED_AFTER = timedelta(seconds=30)
CHUNK_WITHIN = timedelta(seconds=15)
COUNT_MAX = 1_000  # whoever looks every few seconds reads no more of a long queue

_n = notifications.c


@dataclass(frozen=True)
class Stalled:
    count: int  # at most COUNT_MAX
    oldest_seconds: float


def stalled(session: Session, now: datetime) -> Stalled:
    """How much is overdue. One range of the index of what is due, and of that no more than a thousand rows."""
    since = case((_n.deliver_at > _n.created_at, _n.deliver_at), else_=_n.created_at)
    within_reach = _n.enqueue_at <= now + RELAY_AFTER_AT_MOST  # whatever waits has its next turn by then
    waiting = and_(WAITING, is_due_by(now), unexpired(now), since <= now - STALLED_AFTER)
    rows = select(since.label("since"), _n.batch).where(within_reach, waiting, _is_left_alone(now))
    first = session.execute(rows.order_by(_n.enqueue_at).limit(inline_literal(COUNT_MAX))).all()
    moving = _moving(session, {row.batch for row in first if row.batch is not None}, now)
    since_when = [row.since for row in first if row.batch not in moving]
    oldest = min(since_when, default=now)
    return Stalled(len(since_when), (now - oldest).total_seconds())


def _moving(session: Session, batches: Collection[UUID], now: datetime) -> set[UUID]:
    """Of these batches, those of which something moves."""
    if not batches:
        return set()
    theirs = _n.batch.in_(batches), WAITING, is_due_by(now), unexpired(now)
    return set(session.scalars(select(_n.batch).where(*theirs, not_(_is_left_alone(now))).distinct()))


def _is_left_alone(now: datetime) -> ColumnElement[bool]:
    relay_is_late = _n.enqueue_at <= now - STALLED_AFTER
    tasks_are_lost = _n.enqueued >= _n.attempts + 2  # enqueued twice, and not attempted since
    last_chunk = _n.enqueue_at <= now - CHUNK_WITHIN + FANOUT_PATIENCE
    chunks_stopped = or_(_n.recipients.is_not(None), _n.enqueued > 0, last_chunk)
    return or_(relay_is_late, tasks_are_lost, and_(_n.attempts == 0, chunks_stopped))

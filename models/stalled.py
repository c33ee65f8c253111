"""What was accepted, is due and does not move: nobody has worked on it for half a minute.

Not stalled are what is scheduled, parked, or waits between two attempts; and a broadcast of which a chunk was written
a moment ago, as each chunk puts off its `enqueue_at`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, or_, select

from models.database import Session
from models.fanout import FANOUT_PATIENCE
from models.notifications import RELAY_AFTER_AT_MOST, WAITING, is_due_by, unexpired
from models.paging import exactly
from models.tables import notifications

STALLED_AFTER = timedelta(seconds=30)
CHUNK_WITHIN = timedelta(seconds=15)
COUNT_MAX = 1_000  # whoever looks every few seconds reads no more of a long queue

_n = notifications.c


@dataclass(frozen=True)
class Stalled:
    count: int  # at most COUNT_MAX
    oldest_seconds: float


def stalled(session: Session, now: datetime) -> Stalled:
    """How much does not move. One range of the index of what is due, and of that no more than a thousand rows."""
    since = case((_n.deliver_at > _n.created_at, _n.deliver_at), else_=_n.created_at)
    within_reach = _n.enqueue_at <= now + RELAY_AFTER_AT_MOST  # whatever waits has its next turn by then
    waiting = and_(WAITING, is_due_by(now), unexpired(now), since <= now - STALLED_AFTER)
    rows = select(since.label("since")).where(within_reach, waiting, _is_left_alone(now))
    first = rows.order_by(_n.enqueue_at).limit(exactly(COUNT_MAX)).subquery()
    count, oldest = session.execute(select(func.count(), func.min(first.c.since))).one()
    return Stalled(count, (now - oldest).total_seconds() if oldest else 0.0)


def _is_left_alone(now: datetime) -> ColumnElement[bool]:
    relay_is_late = _n.enqueue_at <= now - STALLED_AFTER
    tasks_are_lost = _n.enqueued >= _n.attempts + 2  # enqueued twice, and not attempted since
    last_chunk = _n.enqueue_at <= now - CHUNK_WITHIN + FANOUT_PATIENCE
    chunks_stopped = or_(_n.recipients.is_not(None), _n.enqueued > 0, last_chunk)
    return or_(relay_is_late, tasks_are_lost, and_(_n.attempts == 0, chunks_stopped))

"""Notifications that are due and that no worker has touched for half a minute.

Either they are stuck, or they wait in a backlog that the workers are too slow for: one query cannot tell.
A notification is not stalled while it is scheduled, parked, or waits between two attempts; nor is a broadcast of which
a chunk was written just now (each chunk sets a later `enqueue_at`). Nor is the rest of a batch with such a member,
which may have to wait for it: see `models.delivery.batch_order`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, not_, or_, select

from models.db.database import Connection
from models.db.literals import inline_literal
from models.delivery.fanout import FANOUT_LEASE
from models.notifications.conditions import RELAY_AFTER_AT_MOST, WAITING, is_due_by, unexpired
from models.schema.notifications import notifications

STALLED_AFTER = timedelta(seconds=30)
CHUNK_WITHIN = timedelta(seconds=15)
COUNT_MAX = 1_000  # the monitoring asks every few seconds: a bound on the rows that it reads of a long queue

_n = notifications.c


@dataclass(frozen=True)
class Stalled:
    count: int  # at most COUNT_MAX
    oldest_seconds: float


def stalled(conn: Connection, now: datetime) -> Stalled:
    """How many notifications are stalled. Reads at most COUNT_MAX rows, of one range of an index."""
    since = case((_n.deliver_at > _n.created_at, _n.deliver_at), else_=_n.created_at)
    within_reach = _n.enqueue_at <= now + RELAY_AFTER_AT_MOST  # the latest possible `enqueue_at` of a waiting one
    waiting = and_(WAITING, is_due_by(now), unexpired(now), since <= now - STALLED_AFTER)
    rows = select(since.label("since"), _n.batch).where(within_reach, waiting, _is_untouched(now))
    first = conn.execute(rows.order_by(_n.enqueue_at).limit(inline_literal(COUNT_MAX))).all()
    moving = _moving(conn, {row.batch for row in first if row.batch is not None}, now)
    since_when = [row.since for row in first if row.batch not in moving]
    oldest = min(since_when, default=now)
    return Stalled(len(since_when), (now - oldest).total_seconds())


def _moving(conn: Connection, batches: Collection[UUID], now: datetime) -> set[UUID]:
    """Those of these batches that have a member in progress."""
    if not batches:
        return set()
    waiting = _n.batch.in_(batches), WAITING, is_due_by(now), unexpired(now)
    return set(conn.scalars(select(_n.batch).where(*waiting, not_(_is_untouched(now))).distinct()))


def _is_untouched(now: datetime) -> ColumnElement[bool]:
    relay_is_late = _n.enqueue_at <= now - STALLED_AFTER
    tasks_are_lost = _n.enqueued >= _n.attempts + 2  # enqueued twice, and not attempted since
    last_chunk = _n.enqueue_at <= now - CHUNK_WITHIN + FANOUT_LEASE
    chunks_stopped = or_(_n.recipients.is_not(None), _n.enqueued > 0, last_chunk)
    return or_(relay_is_late, tasks_are_lost, and_(_n.attempts == 0, chunks_stopped))

"""The broadcasts of a batch: they go one at a time, so only the first that waits is enqueued.

When it ends, the task that ended it enqueues the next one. In case that is lost, the next two have a turn by the relay
within seconds: the first of them is enqueued, and the second looks again whether it has become the first. All others
keep the relay's long backoff.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update

from models.db.database import Connection
from models.delivery.batch_order import first_broadcasts
from models.notifications.conditions import RELAY_AFTER
from models.schema.notifications import notifications


@dataclass(frozen=True)
class Leading:
    """Of some broadcasts: those that no broadcast of their batch precedes, and those that only one precedes."""

    first: list[UUID]
    second: list[UUID]


def leading(conn: Connection, ids: Collection[UUID], now: datetime) -> Leading:
    if not ids:
        return Leading([], [])
    in_batch = select(notifications.c.id, notifications.c.batch)
    rows = conn.execute(in_batch.where(notifications.c.id.in_(ids), notifications.c.batch.is_not(None))).all()
    if not rows:
        return Leading(list(ids), [])
    in_front = first_broadcasts(conn, {row.batch for row in rows}, now).values()
    first, second = {some[0].id for some in in_front}, {some[1].id for some in in_front if len(some) > 1}
    first |= set(ids) - {row.id for row in rows}
    return Leading([one for one in ids if one in first], [one for one in ids if one in second])


def advance(conn: Connection, batch: UUID, now: datetime) -> None:
    """A broadcast of this batch has ended: give the next two a turn by the relay soon, unless they failed before."""
    following = [row.id for some in first_broadcasts(conn, [batch], now).values() for row in some]
    late = notifications.c.enqueue_at > now + RELAY_AFTER, notifications.c.attempts == 0
    # A row that is locked is about to be withdrawn or attempted, and has a turn of its own.
    free = select(notifications.c.id).where(notifications.c.id.in_(following), *late)
    free = free.with_for_update(key_share=True, skip_locked=True)
    if following:
        soon = update(notifications).where(notifications.c.id.in_(conn.scalars(free).all()))
        conn.execute(soon.values(enqueue_at=now + RELAY_AFTER))

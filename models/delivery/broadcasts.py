"""The broadcasts of a batch are fanned out one at a time, so only the first that waits is enqueued.

The task that ends it enqueues the next. In case that message is lost, the relay looks at the next two within seconds:
it enqueues the first, and looks again soon whether the second has become the first. All others keep their long backoff.
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
    """A broadcast of this batch has ended: have the relay look at the next two soon, unless they failed before."""
    following = [row.id for some in first_broadcasts(conn, [batch], now).values() for row in some]
    late = notifications.c.enqueue_at > now + RELAY_AFTER, notifications.c.attempts == 0
    # A locked row is being withdrawn or attempted; that sets its own `enqueue_at`.
    free = select(notifications.c.id).where(notifications.c.id.in_(following), *late)
    free = free.with_for_update(key_share=True, skip_locked=True)
    if following:
        soon = update(notifications).where(notifications.c.id.in_(conn.scalars(free).all()))
        conn.execute(soon.values(enqueue_at=now + RELAY_AFTER))

"""Fanning out: what is for a topic, or for everyone, is delivered in chunks, several of them side by side.

The audience is cut into parts, by the order of recipients. Each part has a row that says how far it has come, and who
delivers its next chunk holds it: no two deliver the same, and after a kill it goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, case, delete, func, select, update

from lib.rendering.delivered_items import DeliveredItems
from models.db.database import Connection
from models.db.insert import insert_into
from models.db.literals import inline_literal
from models.delivery import broadcasts, postgres
from models.delivery.batch_order import Order, hold_on
from models.delivery.items import write_items
from models.inbox.rendering import Change
from models.limits import ID_MAX
from models.notifications.conditions import RESET_ATTEMPTS, WAITING, is_due_by, unexpired, until_expiry
from models.schema.delivery import fanouts
from models.schema.inbox import inboxes
from models.schema.notifications import notifications
from models.schema.subscriptions import subscriptions

PARTS = 4
FANOUT_LEASE = timedelta(seconds=30)  # a fan-out that moved within this time is at work: the relay leaves it alone
BEFORE_ALL, AFTER_ALL = "", "\U0010ffff" * ID_MAX  # of recipients

UNFINISHED = fanouts.c.reached < fanouts.c.until


@dataclass(frozen=True)
class Chunk:
    """One transaction of a fan-out or a withdrawal: its items or changes of state, and whether it was the last.

    After the first, `parallelism` says how many chunks may be written at a time. `held` is set if nothing was done,
    because an earlier notification of the batch waits; `ended` names the batch of a fan-out whose last chunk this was,
    or of an undelivered notification whose withdrawal this began.
    """

    changes: Sequence[Change]
    finished: bool
    parallelism: int = 1
    held: Order | None = None
    ended: UUID | None = None
    items: DeliveredItems = field(default_factory=DeliveredItems)


def fan_out(conn: Connection, notification_id: UUID, size: int, now: datetime) -> Chunk:
    """Deliver to the next `size` recipients of a part that no other transaction has locked.

    A fan-out stops when its notification is cancelled or expires. From then on it is only withdrawn.
    """
    row = _lock(conn, notification_id, now)
    if row is None:
        return Chunk([], finished=True)
    part, parallelism = _free_part(conn, row), 1
    if part is None:
        if held := hold_on(conn, row, now):
            return Chunk([], finished=True, held=held)
        parallelism = _begin(conn, row, size, now)
        part = _free_part(conn, row) if parallelism else None
    if part is None:
        return Chunk([], finished=True)  # others are at all that is left
    write = postgres.write_next if conn.dialect.name == "postgresql" else _write_next
    items = write(conn, row, part.reached, part.until, size, now)
    reached = part.until if len(items) < size else items.recipients[-1]
    _move(conn, part, reached)
    _count(conn, row, len(items), now)
    ended = reached == part.until and _end(conn, row, now)
    return Chunk([], ended, parallelism, ended=row.batch if ended else None, items=items)


def _lock(conn: Connection, notification_id: UUID, now: datetime) -> Row[Any] | None:
    """The notification if it is to be fanned out, held against who would withdraw it, and not against each other."""
    wide = select(notifications).where(notifications.c.id == notification_id, notifications.c.recipients.is_(None))
    waiting = wide.where(WAITING, is_due_by(now), unexpired(now))
    return conn.execute(waiting.with_for_update(read=True, key_share=True)).one_or_none()


def _free_part(conn: Connection, row: Row[Any]) -> Row[Any] | None:
    parts = select(fanouts).where(fanouts.c.notification_id == row.id, UNFINISHED).order_by(fanouts.c.part)
    return conn.execute(parts.limit(1).with_for_update(skip_locked=True)).one_or_none()


def _write_next(conn: Connection, row: Row[Any], after: str, until: str, size: int, now: datetime) -> DeliveredItems:
    known = _audience(row)
    wanted = select(known).where(known > after, known <= until).order_by(known).limit(inline_literal(size))
    return write_items(conn, [(row, recipient) for recipient in conn.scalars(wanted)], now)


def _begin(conn: Connection, row: Row[Any], size: int, now: datetime) -> int:
    """Cut the audience into parts, of `size` at least, and answer how many; none if another does so."""
    ends = [BEFORE_ALL, *_cuts(conn, row, size), AFTER_ALL]
    first, *more = (
        {"notification_id": row.id, "part": part, "reached": reached, "until": until}
        for part, (reached, until) in enumerate(pairwise(ends))
    )
    unless_begun = insert_into(conn, fanouts).on_conflict_do_nothing().returning(fanouts.c.part)
    if not conn.execute(unless_begun, first).all():
        return 0
    if _lock(conn, row.id, now) is None:  # the other began before us, and has ended it by now
        forget_parts(conn, row.id)
        return 0
    if more:
        conn.execute(fanouts.insert(), more)
    return len(more) + 1


def _cuts(conn: Connection, row: Row[Any], size: int) -> list[str]:
    known = _audience(row)
    count = conn.scalar(select(func.count(known))) or 0
    parts = min(PARTS, max(1, count // size))
    places = [count * part // parts - 1 for part in range(1, parts)]
    one_at = [select(known).order_by(known).offset(place).limit(1) for place in places]
    found = {conn.scalar(one) for one in one_at}  # each at a moment of its own: some may have gone by then, or come
    return sorted(cut for cut in found if cut is not None)


def _audience(row: Row[Any]) -> ColumnElement[str]:
    """The recipients of what is for a topic, or for everyone."""
    if row.everyone:
        return inboxes.c.recipient_id
    return select(subscriptions.c.recipient_id).where(subscriptions.c.topic == row.topic).subquery().c.recipient_id


def _move(conn: Connection, part: Row[Any], reached: str) -> None:
    own = (fanouts.c.notification_id == part.notification_id) & (fanouts.c.part == part.part)
    conn.execute(update(fanouts).where(own).values(reached=reached))


def _count(conn: Connection, row: Row[Any], delivered: int, now: datetime) -> None:
    """From here on it is a moment until the commit: who counts another part's chunk waits for it."""
    conn.execute(
        update(notifications)
        .where(notifications.c.id == row.id)
        .values(
            delivered_count=notifications.c.delivered_count + delivered,
            enqueue_at=_unless_cancelled(until_expiry(now + FANOUT_LEASE, row.expires_at, now)),
            **RESET_ATTEMPTS,
        )
    )


def _end(conn: Connection, row: Row[Any], now: datetime) -> bool:
    """End it if this was the last part: of two that end at a time, the later one sees that the other has."""
    left = select(fanouts.c.part).where(fanouts.c.notification_id == row.id, UNFINISHED)
    if conn.execute(left.limit(1)).first() is None:
        delivered = {"delivered_at": now, "enqueue_at": _unless_cancelled(row.expires_at)}
        conn.execute(update(notifications).where(notifications.c.id == row.id).values(delivered))
        forget_parts(conn, row.id)
        if row.batch is not None:
            broadcasts.advance(conn, row.batch, now)
        return True
    return False


def _unless_cancelled(turn: datetime | None) -> ColumnElement[datetime | None]:
    """Who cancelled it while its items were being written has set the turn at which it is withdrawn."""
    return case((notifications.c.cancelled_at.is_(None), turn), else_=notifications.c.enqueue_at)


def forget_parts(conn: Connection, notification_id: UUID) -> None:
    """It is fanned out no more."""
    conn.execute(delete(fanouts).where(fanouts.c.notification_id == notification_id))

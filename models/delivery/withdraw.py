"""Withdrawing: a recalled or expired notification leaves every inbox, each with a change of its own."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, bindparam, case, delete, or_, select, update

from models.db.database import Connection
from models.db.literals import inline_literal
from models.delivery.deliver import ITEMS_AT_ONCE
from models.delivery.fanout import FANOUT_LEASE, Chunk, forget_parts
from models.inbox.rendering import Change, render_change
from models.inbox.versions import Delta, advance, lock_inboxes
from models.notifications import receipts
from models.notifications.conditions import RESET_ATTEMPTS, UNDELIVERED
from models.notifications.receipts import ReceiptCounts
from models.schema.inbox import inbox_changes, inbox_items
from models.schema.notifications import notifications


@dataclass(frozen=True)
class Withdrawn:
    """The changes of the inboxes, and the notifications that need another transaction.

    `batches`: those of undelivered notifications, which hold back nothing of their batch any more.
    """

    changes: list[Change]
    remaining: list[UUID]
    batches: list[UUID] = field(default_factory=list)


def withdraw(conn: Connection, notification_id: UUID, size: int, now: datetime) -> Chunk:
    """Remove it from the next `size` inboxes. `finished`: no inbox has it any more, or it is not to be withdrawn.

    The lock of its row excludes other workers, and one that still delivers it: when this has finished, so has its
    delivery, even by a worker whose clock is behind.
    """
    row = conn.execute(_waiting(notifications.c.id == notification_id, now)).one_or_none()
    if row is None:
        return Chunk([], finished=True)
    counted = _counted_before(row)
    is_first = counted is None
    counted = counted or receipts.count(conn, row.id, max(now, _ended_at(row)))
    of_it = inbox_items.c.notification_id == notification_id
    holders = _holders(conn, of_it, size)
    changes = _remember(conn, _remove_items(conn, of_it, holders), {notification_id: _why(row)}, now)
    finished = len(holders) < size
    if finished:
        forget_parts(conn, notification_id)
    progress = _done(now) if finished else {"enqueue_at": now + FANOUT_LEASE, **RESET_ATTEMPTS}
    values = progress | vars(counted)
    conn.execute(update(notifications).where(notifications.c.id == notification_id).values(values))
    return Chunk(changes, finished, ended=row.batch if row.delivered_at is None and is_first else None)


def withdraw_named(conn: Connection, ids: Sequence[UUID], now: datetime) -> Withdrawn:
    """Take those that name their recipients out of all inboxes, many by as many statements as one.

    A transaction removes a bounded number of items; the `remaining` notifications need another one.
    """
    named = notifications.c.id.in_(ids) & notifications.c.recipients.is_not(None)
    rows = conn.execute(_waiting(named, now)).all()
    fitting = max(1, bisect_right(list(accumulate(row.delivered_count for row in rows)), ITEMS_AT_ONCE))
    fitting_rows, remaining = rows[:fitting], rows[fitting:]
    of_them = inbox_items.c.notification_id.in_([row.id for row in fitting_rows])
    removed = _remove_items(conn, of_them, _holders(conn, of_them, None)) if fitting_rows else []
    changes = _remember(conn, removed, {row.id: _why(row) for row in fitting_rows}, now)
    if fitting_rows:
        _finish(conn, fitting_rows, removed, now)
    batches = {row.batch for row in fitting_rows if row.batch is not None and row.delivered_at is None}
    return Withdrawn(changes, [row.id for row in remaining], sorted(batches))


def _waiting(which: ColumnElement[bool], now: datetime) -> Select[Any]:
    """Those that are to be withdrawn, locked in the order of ids, as by who delivers them."""
    ended = or_(notifications.c.cancelled_at.is_not(None), notifications.c.expires_at <= now)
    to_withdraw = notifications.c.withdrawn_at.is_(None) & notifications.c.parked_at.is_(None)
    return select(notifications).where(which, to_withdraw, ended).order_by(notifications.c.id).with_for_update()


def _why(row: Row[Any]) -> str:
    return "recalled" if row.cancelled_at else "expired"


def _ended_at(row: Row[Any]) -> datetime:
    moments: list[datetime] = [moment for moment in (row.cancelled_at, row.expires_at) if moment is not None]
    return min(moments)


def _counted_before(row: Row[Any]) -> ReceiptCounts | None:
    """How many had seen and read it when the first step of its withdrawal began."""
    counted = row.counted_at is not None and row.counted_at >= _ended_at(row)
    return ReceiptCounts(row.seen, row.read, row.counted_at) if counted else None


def _done(now: datetime) -> dict[str, Any]:
    delivered_at = case((UNDELIVERED, now), else_=notifications.c.delivered_at)
    return {"withdrawn_at": now, "enqueue_at": None, "delivered_at": delivered_at, "attempts": 0}


def _finish(conn: Connection, rows: Sequence[Row[Any]], removed: Sequence[Row[Any]], now: datetime) -> None:
    of_each = defaultdict(list)
    for item in removed:
        of_each[item.notification_id].append(item)
    counted = [_counted_before(row) or receipts.of_items(of_each[row.id], max(now, _ended_at(row))) for row in rows]
    names = ("seen", "read", "counted_at")
    values = _done(now) | {name: bindparam(f"new_{name}") for name in names}
    finish = update(notifications).where(notifications.c.id == bindparam("done")).values(values)
    told = [{f"new_{name}": value for name, value in vars(one).items()} for one in counted]
    conn.execute(finish, [{"done": row.id, **one} for row, one in zip(rows, told, strict=True)])


def _holders(conn: Connection, which: ColumnElement[bool], size: int | None) -> Sequence[str]:
    recipient = inbox_items.c.recipient_id
    holding = select(recipient).where(which).order_by(recipient)
    return conn.scalars(holding if size is None else holding.limit(inline_literal(size))).all()


def _remove_items(conn: Connection, which: ColumnElement[bool], recipients: Sequence[str]) -> Sequence[Row[Any]]:
    """Lock the inboxes first: an item must not change while it is counted out. Its owner may have been faster."""
    if not recipients:
        return []
    lock_inboxes(conn, recipients)
    between = inbox_items.c.recipient_id.between(min(recipients), max(recipients))  # a range of the index
    gone = delete(inbox_items).where(which, between, inbox_items.c.recipient_id.in_(recipients))
    columns = (inbox_items.c[name] for name in ("notification_id", "recipient_id", "seq", "read_at", "seen_at"))
    return conn.execute(gone.returning(*columns)).all()


def _remember(conn: Connection, removed: Sequence[Row[Any]], why: Mapping[UUID, str], now: datetime) -> list[Change]:
    if not removed:
        return []
    of_each = defaultdict(list)
    for item in sorted(removed, key=lambda item: item.seq):
        of_each[item.recipient_id].append(item)
    after = advance(conn, {recipient: _step(items) for recipient, items in of_each.items()}, now)
    rows = [
        {"recipient_id": recipient, "change": why[item.notification_id], "seqs": [item.seq], "at": now, **standing}
        for recipient, items in of_each.items()
        for item, standing in zip(items, _standings(after[recipient], items), strict=True)
    ]
    remembered = inbox_changes.insert().returning(*inbox_changes.c)
    epoch = next(iter(after.values())).epoch
    return [
        Change(row.recipient_id, row.version, render_change(row), row.unread, row.unseen, epoch)
        for row in conn.execute(remembered, rows)
    ]


def _step(items: Sequence[Row[Any]]) -> Delta:
    return Delta(len(items), -sum(item.read_at is None for item in items), -sum(item.seen_at is None for item in items))


def _standings(after: Row[Any], items: Sequence[Row[Any]]) -> list[dict[str, int]]:
    """The version at which each of these went, one after the other, and the counts that belong to it."""
    standing = {name: getattr(after, name) for name in ("version", "unread", "unseen")}
    standings = []
    for item in reversed(items):
        standings.append(standing)
        unread, unseen = (standing["unread"] + (item.read_at is None), standing["unseen"] + (item.seen_at is None))
        standing = {"version": standing["version"] - 1, "unread": unread, "unseen": unseen}
    return standings[::-1]

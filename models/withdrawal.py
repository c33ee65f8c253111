"""Withdrawing: a recalled or expired notification leaves every inbox, each with a change of its own."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, delete, or_, select, update

from models import tally
from models.database import Session
from models.fanout import FANOUT_PATIENCE, Chunk, forget_parts
from models.notifications import NEW_START, UNDELIVERED
from models.numberline import Step, hold, move_on
from models.paging import exactly
from models.rendering import Change, render_change
from models.tables import inbox_changes, inbox_items, notifications


def withdraw(session: Session, notification_id: UUID, size: int, now: datetime) -> Chunk:
    """Take it out of the next `size` inboxes; `finished` when none holds it any more, or it is not to be withdrawn.

    The row's lock keeps two workers apart, and one that still delivers it: when this has finished, so has its delivery,
    even for a worker whose clock is behind.
    """
    ended = or_(notifications.c.cancelled_at.is_not(None), notifications.c.expires_at <= now)
    left = notifications.c.withdrawn_at.is_(None) & notifications.c.parked_at.is_(None)
    waiting = notifications.c.id == notification_id, left, ended
    row = session.execute(select(notifications).where(*waiting).with_for_update()).one_or_none()
    if row is None:
        return Chunk([], finished=True)
    change = "recalled" if row.cancelled_at else "expired"
    counted = _last_count(session, row, now)
    holders = _holders(session, notification_id, size)
    changes = _remember(session, _remove_items(session, notification_id, holders), change, now)
    finished = len(holders) < size
    progress: dict[str, Any] = {"enqueue_at": now + FANOUT_PATIENCE, **NEW_START}
    if finished:
        forget_parts(session, notification_id)
        delivered_at = case((UNDELIVERED, now), else_=notifications.c.delivered_at)
        progress = {"withdrawn_at": now, "enqueue_at": None, "delivered_at": delivered_at, "attempts": 0}
    session.execute(update(notifications).where(notifications.c.id == notification_id).values(progress | counted))
    return Chunk(changes, finished)


def _last_count(session: Session, row: Row[Any], now: datetime) -> dict[str, Any]:
    """How many had seen and read it, if that was not counted since it ended: soon nobody has it any more."""
    ended_at = min(moment for moment in (row.cancelled_at, row.expires_at) if moment is not None)
    if row.counted_at is not None and row.counted_at >= ended_at:
        return {}
    return vars(tally.count(session, row.id, max(now, ended_at)))


def _holders(session: Session, notification_id: UUID, size: int) -> Sequence[str]:
    recipient = inbox_items.c.recipient_id
    holding = select(recipient).where(inbox_items.c.notification_id == notification_id)
    return session.scalars(holding.order_by(recipient).limit(exactly(size))).all()


def _remove_items(session: Session, notification_id: UUID, recipients: Sequence[str]) -> list[Row[Any]]:
    """Lock the inboxes first: an item must not change while it is counted out. Its owner may have been faster."""
    if not recipients:
        return []
    hold(session, recipients)
    of_it = inbox_items.c.notification_id == notification_id
    between = inbox_items.c.recipient_id.between(min(recipients), max(recipients))  # a range of the index
    gone = delete(inbox_items).where(of_it, between, inbox_items.c.recipient_id.in_(recipients))
    columns = (inbox_items.c[name] for name in ("recipient_id", "seq", "read_at", "seen_at"))
    return list(session.execute(gone.returning(*columns)))


def _remember(session: Session, removed: list[Row[Any]], change: str, now: datetime) -> list[Change]:
    if not removed:
        return []
    steps = {item.recipient_id: Step(1, -int(item.read_at is None), -int(item.seen_at is None)) for item in removed}
    after = move_on(session, steps, now)
    rows = [
        {
            "recipient_id": item.recipient_id,
            "version": after[item.recipient_id].version,
            "change": change,
            "seqs": [item.seq],
            "at": now,
            "unread": after[item.recipient_id].unread,
            "unseen": after[item.recipient_id].unseen,
        }
        for item in removed
    ]
    remembered = inbox_changes.insert().returning(*inbox_changes.c)
    epoch = next(iter(after.values())).epoch
    return [
        Change(row.recipient_id, row.version, render_change(row), row.unread, row.unseen, epoch)
        for row in session.execute(remembered, rows)
    ]

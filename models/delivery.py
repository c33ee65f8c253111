"""Delivering: an accepted notification becomes an item in each recipient's inbox, once."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any
from uuid import UUID

from sqlalchemy import Row, case, func, select, update

from models import at_once
from models.arrival import write_items
from models.database import Session
from models.notifications import NEW_START, WAITING, is_due_by
from models.rendering import Change
from models.tables import notifications

ITEMS_AT_ONCE = 1_000  # in one transaction: an inbox is locked for a fraction of a second at most


@dataclass(frozen=True)
class Delivery:
    """What arrived, what wants another transaction, and what is for a topic or for everyone and wants a fan-out."""

    changes: Sequence[Change]
    left: list[UUID]
    wide: list[UUID]


def deliver(session: Session, ids: Sequence[UUID], now: datetime) -> Delivery:
    """Move what names its recipients from accepted to delivered and write their items, in the order of `ids`.

    A transaction writes a bounded number of items: what is `left` wants another one. The guard is `delivered_at IS
    NULL`: a doubled, redelivered or raced call finds nothing left to do.
    """
    if session.dialect.name == "postgresql":
        return Delivery(*at_once.deliver(session, ids, ITEMS_AT_ONCE, now))
    waiting = _lock(session, ids, now)
    wide = [row.id for row in waiting if row.size is None]
    portion, left = _portion([row for row in waiting if row.size is not None])
    claimed = _claim(session, portion, now)
    alive = [row for row in claimed if row.expires_at is None or row.expires_at > now]
    pairs = [(row, recipient) for row in alive for recipient in row.recipients]
    return Delivery(write_items(session, pairs, now), left, wide)


def _lock(session: Session, ids: Sequence[UUID], now: datetime) -> list[Row[Any]]:
    """Those that wait, in the order of `ids`, with the number of recipients that they name (none: for a fan-out).

    They are locked in the order of ids, so that two workers with the same ones wait for each other instead of
    deadlocking.
    """
    waiting = notifications.c.id.in_(ids), WAITING, is_due_by(now)
    size = func.json_array_length(notifications.c.recipients).label("size")
    locked = select(notifications.c.id, size).where(*waiting).order_by(notifications.c.id).with_for_update()
    return _in_order(session.execute(locked), ids)


def _portion(waiting: Sequence[Row[Any]]) -> tuple[list[UUID], list[UUID]]:
    """As many as one transaction may write items for, at least one; and the others."""
    reach = list(accumulate(row.size for row in waiting))
    fitting = max(1, bisect_right(reach, ITEMS_AT_ONCE))
    ids = [row.id for row in waiting]
    return ids[:fitting], ids[fitting:]


def _claim(session: Session, ids: Sequence[UUID], now: datetime) -> list[Row[Any]]:
    if not ids:
        return []
    size = func.json_array_length(notifications.c.recipients)
    delivered = (
        update(notifications)
        .where(notifications.c.id.in_(ids))
        .values(
            delivered_at=now,
            recipient_count=case((notifications.c.expires_at <= now, 0), else_=size),
            enqueue_at=notifications.c.expires_at,
            **NEW_START,
        )
        .returning(*notifications.c)
    )
    return _in_order(session.execute(delivered), ids)


def _in_order(rows: Iterable[Row[Any]], ids: Sequence[UUID]) -> list[Row[Any]]:
    place = {id_: index for index, id_ in enumerate(ids)}
    return sorted(rows, key=lambda row: place[row.id])

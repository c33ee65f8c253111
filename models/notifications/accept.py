"""Notifications: accepting them, and finding those that are due."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, bindparam, case, func, select, tuple_, update

from models.db.database import Session
from models.db.insert import insert_unless_there
from models.db.literals import exactly
from models.inbox.rendering import render_content
from models.notifications.ids import new_id
from models.tables import notifications

# The API enqueues what it accepts; the relay enqueues again what is still undelivered after this, then after twice
# as long, and so on: an overload is not fed.
RELAY_AFTER = timedelta(seconds=5)
RELAY_AFTER_AT_MOST = timedelta(minutes=5)

UNDELIVERED = notifications.c.delivered_at.is_(None) & notifications.c.cancelled_at.is_(None)
WAITING = UNDELIVERED & notifications.c.parked_at.is_(None)

# What a new notification says that is stored by itself; all the rest of it is content.
_STORED = (
    *("producer_id", "kind", "actor", "severity", "recipients", "topic", "everyone", "expires_at", "deliver_at"),
    "idempotency_key",
)

NEW_START: dict[str, Any] = {"enqueued": 0, "attempts": 0, "parked_at": None}  # at the next step, or after some of it


class IdempotencyKeyReused(Exception):
    """This key was used with another body."""


@dataclass(frozen=True)
class NewNotification:
    """What a producer publishes. Exactly one of `recipients`, `topic`, `everyone` says who gets it."""

    producer_id: str
    kind: str
    title: str
    body: str | None = None
    url: str | None = None
    data: dict[str, Any] | None = None
    actor: str | None = None
    severity: str = "none"
    recipients: tuple[str, ...] | None = None
    topic: str | None = None
    everyone: bool = False
    expires_at: datetime | None = None
    deliver_at: datetime | None = None
    idempotency_key: str | None = None
    batch: str | None = None  # a digest of the batch it came in: its key is the batch's, and it keeps the batch's order


def is_due(new: NewNotification, now: datetime) -> bool:
    return new.deliver_at is None or new.deliver_at <= now


@dataclass(frozen=True)
class Due:
    """What the relay should enqueue: to deliver, and to withdraw.

    Of these, `wide` are for a topic or for everyone; and `again` had a turn before, or an attempt that failed.
    `batches` names the batch of each that came in one.
    """

    deliver: list[UUID]
    withdraw: list[UUID]
    wide: frozenset[UUID] = field(default=frozenset(), compare=False)
    again: frozenset[UUID] = field(default=frozenset(), compare=False)
    batches: dict[UUID, UUID] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Undelivered:
    """What was accepted, is due, is in no inbox yet, and is not parked."""

    count: int
    oldest_seconds: float


def accept(session: Session, new: Sequence[NewNotification], now: datetime) -> list[UUID]:
    """Store notifications, all or none; the commit makes them a promise. Answers their ids in order.

    A producer's idempotency key that is known answers the id it had then. Raises `IdempotencyKeyReused` when the
    content differs from what it was.
    """
    accepted = accept_each(session, new, now)
    ids = [one for one in accepted if isinstance(one, UUID)]
    if len(ids) < len(accepted):
        raise IdempotencyKeyReused
    return ids


def accept_each(session: Session, new: Sequence[NewNotification], now: datetime) -> list[UUID | IdempotencyKeyReused]:
    """As `accept`, but each for itself: what reuses a key is left out, and nothing else.

    One statement writes, so it needs no transaction around it.
    """
    ids = sorted(new_id(now) for _ in new)  # a batch keeps its order, also where it is sorted by id
    rows = [_row(one, id_, _batch(one, ids), now) for one, id_ in zip(new, ids, strict=True)]
    # In the order of keys, so that two transactions with the same ones wait for each other instead of deadlocking.
    left, known = sorted(rows, key=_key), dict[tuple[str, str], Row[Any]]()
    while left:
        insert_unless_there(session, notifications, left)
        keyed = [row for row in left if row["idempotency_key"] is not None]
        known |= _known(session, keyed) if keyed else {}
        left = [row for row in keyed if _key(row) not in known]  # what was there grew old, and was deleted just now
    return [_first_id(row, known.get(_key(row))) for row in rows]


def due(session: Session, now: datetime, limit: int) -> Due:
    """Take what has a step to be done now, oldest first, and put off its next turn, longer each time.

    What has expired is withdrawn, whether it was delivered, parked or neither; its turn is never put off beyond that
    moment, and at its first turn from then on that is another step, with all attempts before it.
    """
    expires = and_(notifications.c.cancelled_at.is_(None), ~unexpired(now))
    starts = and_(expires, notifications.c.enqueue_at <= notifications.c.expires_at)
    before = {name: case((starts, 0), else_=notifications.c[name]) for name in ("enqueued", "attempts")}
    shown = (notifications.c[name] for name in ("id", "batch", "expires_at"))
    columns = (*(count.label(name) for name, count in before.items()), *shown)
    deliverable = UNDELIVERED & unexpired(now)
    wide = notifications.c.recipients.is_(None)
    oldest_due = (
        select(*columns, deliverable.label("deliverable"), wide.label("wide"))
        .where(notifications.c.enqueue_at <= now)
        .order_by(notifications.c.enqueue_at, notifications.c.id)
        .limit(exactly(limit))
        .with_for_update(skip_locked=True)
    )
    taken = session.execute(oldest_due).all()
    put_off = (
        update(notifications)
        .where(notifications.c.id == bindparam("due_id"))
        .values(
            enqueue_at=bindparam("next_turn"),
            enqueued=before["enqueued"] + 1,
            attempts=before["attempts"],
            parked_at=None,  # what was parked and has its turn has expired
        )
    )
    if taken:
        turns = [(row.id, until_expiry(now + _patience(row.enqueued), row.expires_at, now)) for row in taken]
        session.execute(put_off, [{"due_id": id_, "next_turn": turn} for id_, turn in turns])
    return Due(
        [row.id for row in taken if row.deliverable],
        [row.id for row in taken if not row.deliverable],
        wide=frozenset(row.id for row in taken if row.wide),
        again=frozenset(row.id for row in taken if row.enqueued or row.attempts),
        batches={row.id: row.batch for row in taken if row.batch is not None},
    )


def is_due_by(now: datetime) -> ColumnElement[bool]:
    return notifications.c.deliver_at.is_(None) | (notifications.c.deliver_at <= now)


def unexpired(now: datetime) -> ColumnElement[bool]:
    return notifications.c.expires_at.is_(None) | (notifications.c.expires_at > now)


def until_expiry(turn: datetime, expires_at: datetime | None, now: datetime) -> datetime:
    """The next turn of a notification: at its expiry, if that comes first, so that it is withdrawn in time."""
    return turn if expires_at is None or expires_at <= now else min(turn, expires_at)


def undelivered(session: Session, now: datetime) -> Undelivered:
    """How much is stuck at the moment."""
    deliver_at, created_at = notifications.c.deliver_at, notifications.c.created_at
    waiting_since = case((deliver_at > created_at, deliver_at), else_=created_at)
    overdue = WAITING & (waiting_since <= now)
    count, oldest = session.execute(select(func.count(), func.min(waiting_since)).where(overdue)).one()
    return Undelivered(count, max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)


def cancel(session: Session, producer_id: str, notification_id: UUID, now: datetime) -> bool:
    """The producer takes it back: what delivers it finds it cancelled, and the relay's next step withdraws it.

    Whoever writes items of it at the moment may still commit these: see `models.notifications.cancel`.

    True also when it was cancelled before; False when this producer has no such notification.
    """
    own = (notifications.c.producer_id == producer_id) & (notifications.c.id == notification_id)
    stop = update(notifications).where(own, notifications.c.cancelled_at.is_(None))
    gone_already = notifications.c.withdrawn_at.is_not(None)
    turn = case((gone_already, None), else_=now + RELAY_AFTER)
    if session.execute(stop.values(cancelled_at=now, enqueue_at=turn, **NEW_START)).rowcount:
        return True
    return session.scalar(select(notifications.c.id).where(own)) is not None


def _batch(new: NewNotification, ids: Sequence[UUID]) -> UUID | None:
    """The batch's name in the database: its first id. A batch of one has no order to keep."""
    return ids[0] if new.batch is not None and len(ids) > 1 else None


def _row(new: NewNotification, id_: UUID, batch: UUID | None, now: datetime) -> dict[str, Any]:
    said = vars(new)
    return {
        **{name: said[name] for name in _STORED},
        "content": render_content(id_, said, now),
        "id": id_,
        "batch": batch,
        "created_at": now,
        "recipient_count": 0,
        "enqueued": 0,
        "enqueue_at": now + RELAY_AFTER if is_due(new, now) else new.deliver_at,
        "fingerprint": "" if new.idempotency_key is None else _fingerprint(said),
    }


def _fingerprint(content: dict[str, Any]) -> str:
    said = {name: value for name, value in content.items() if name != "idempotency_key"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=datetime.isoformat).encode()).hexdigest()


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["producer_id"], row["idempotency_key"] or ""


def _first_id(row: dict[str, Any], known: Row[Any] | None) -> UUID | IdempotencyKeyReused:
    """The id under which this was accepted first."""
    if known is not None and known.fingerprint != row["fingerprint"]:
        return IdempotencyKeyReused()
    id_: UUID = row["id"] if known is None else known.id
    return id_


def _known(session: Session, rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], Row[Any]]:
    """What is stored under the keys of these rows."""
    key = tuple_(notifications.c.producer_id, notifications.c.idempotency_key)
    shown = (notifications.c[name] for name in ("producer_id", "idempotency_key", "id", "fingerprint"))
    stored = session.execute(select(*shown).where(key.in_([_key(row) for row in rows])))
    return {(row.producer_id, row.idempotency_key): row for row in stored}


def _patience(times_enqueued: int) -> timedelta:
    doubled: timedelta = RELAY_AFTER * 2 ** min(times_enqueued, 10)
    return min(doubled, RELAY_AFTER_AT_MOST)

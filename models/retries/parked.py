"""Attempts and parking: a step that fails is tried six times with a growing backoff, then parked (dead-lettered).

A step is a delivery, a fan-out or a withdrawal. Parking is a state of the notification and not a dead-letter queue:
brokers differ in that, and may lose or double a message, so they cannot count attempts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, select, tuple_, update

from models.db.database import Connection
from models.db.literals import inline_literal
from models.notifications.conditions import RESET_ATTEMPTS, UNDELIVERED, has_a_step
from models.retries.errors import PermanentError
from models.schema.notifications import notifications

# One attempt before the relay enqueues for the first time, one after each time: at 0, 5, 10, 20, 40 and 80 s. A
# permanent error has cost little by then, and a deployment that was half done is over. A notification that kills its
# worker is tried once or twice before that is known. It is parked when the relay enqueues it after its last attempt:
# after three minutes and eight dead workers.
ATTEMPTS = 6

DIED = "the worker died in the attempt"

PARKED = notifications.c.parked_at.is_not(None)
NAMED = func.json_array_length(notifications.c.recipients)
SHOWN = ("id", "producer_id", "kind", "created_at", "parked_at", "attempts", "last_error", "topic", "delivered_count")
Step = Literal["deliver", "fan out", "withdraw"]


@dataclass(frozen=True)
class Parked:
    """A notification whose next step is given up for now, without its content."""

    id: UUID
    producer_id: str
    kind: str
    step: Step
    created_at: datetime
    parked_at: datetime
    attempts: int
    error: str
    named: int | None  # recipients; none of a topic, or of everyone
    topic: str | None
    reached: int  # inboxes


@dataclass(frozen=True)
class ClaimedAttempts:
    """Attempts that are counted: those to be made together, and those of notifications that failed before, each alone.

    `parked`: these had used all their attempts.
    """

    together: list[UUID]
    alone: list[UUID]
    parked: list[UUID]

    @property
    def ids(self) -> list[UUID]:
        return self.together + self.alone


def claim_attempts(conn: Connection, ids: Sequence[UUID], now: datetime) -> ClaimedAttempts:
    """Count an attempt before it is made: what kills its worker can count none afterwards. Commit, then try.

    Left out are those that another worker has in hand or that had their attempt since the relay's last turn; who has
    used all of them is parked.
    """
    columns = notifications.c.id, notifications.c.attempts
    turn = notifications.c.attempts <= notifications.c.enqueued
    waiting = select(*columns).where(notifications.c.id.in_(ids), has_a_step(now), turn).order_by(notifications.c.id)
    attempts = {row.id: row.attempts for row in conn.execute(waiting.with_for_update(skip_locked=True))}
    parked = [id_ for id_, used in attempts.items() if used >= ATTEMPTS]
    _park(conn, parked, now)
    tried = [id_ for id_ in dict.fromkeys(ids) if attempts.get(id_, ATTEMPTS) < ATTEMPTS]
    _count(conn, tried, 1, DIED)
    together = [id_ for id_ in tried if attempts[id_] == 0]
    return ClaimedAttempts(together, [id_ for id_ in tried if attempts[id_] > 0], parked)


def refund_attempts(conn: Connection, ids: Sequence[UUID]) -> None:
    """Take back attempts that were claimed and that a transient error ended."""
    _count(conn, ids, -1, None)


def record_failure(
    conn: Connection, notification_id: UUID, error: PermanentError, now: datetime, *, counted: bool
) -> bool:
    """Record why an attempt failed, and count it unless `claim_attempts` has. True if it was the last: it is parked."""
    columns = notifications.c.attempts, notifications.c.enqueued
    waiting = select(*columns).where(notifications.c.id == notification_id, has_a_step(now))
    row = conn.execute(waiting.with_for_update()).one_or_none()
    if row is None:
        return False
    more = 0 if counted or row.attempts > row.enqueued else 1  # a doubled message is no further attempt
    _count(conn, [notification_id], more, str(error))
    is_last = bool(row.attempts + more >= ATTEMPTS)
    _park(conn, [notification_id] if is_last else [], now)
    return is_last


def count(conn: Connection) -> int:
    return conn.scalar(select(func.count()).where(PARKED)) or 0


def page(conn: Connection, after: Parked | None, size: int) -> list[Parked]:
    """The next of what is parked, those that have been so for longest first."""
    key = notifications.c.parked_at, notifications.c.id
    query = _shown().order_by(*key).limit(inline_literal(size))
    if after is not None:
        query = query.where(tuple_(*key) > tuple_(after.parked_at, after.id))
    return [_parked(row) for row in conn.execute(query)]


def one(conn: Connection, notification_id: UUID) -> Parked | None:
    row = conn.execute(_shown().where(notifications.c.id == notification_id)).one_or_none()
    return None if row is None else _parked(row)


def retry(conn: Connection, ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Let the relay have them at its next tick, with all attempts before them; answers which of these were parked."""
    return _unpark(conn, ids, notifications.c.id.in_(ids), enqueue_at=now)


def drop(conn: Connection, ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Cancel them, as their producers can; answers which were. A withdrawal stays: its items must go some day."""
    to_deliver = notifications.c.id.in_(ids) & UNDELIVERED
    return _unpark(conn, ids, to_deliver, enqueue_at=now, cancelled_at=now)


def _unpark(conn: Connection, ids: Sequence[UUID], which: ColumnElement[bool], **values: datetime) -> list[UUID]:
    freed = update(notifications).where(PARKED, which).values(**values, **RESET_ATTEMPTS).returning(notifications.c.id)
    found = set(conn.scalars(freed))
    return [id_ for id_ in ids if id_ in found]


def _shown() -> Select[Any]:
    return select(
        *(notifications.c[name] for name in SHOWN), NAMED.label("named"), UNDELIVERED.label("undelivered")
    ).where(PARKED)


def _parked(row: Row[Any]) -> Parked:
    step: Step = "withdraw" if not row.undelivered else "fan out" if row.named is None else "deliver"
    shown = {name: getattr(row, name) for name in ("id", "producer_id", "kind", "created_at", "parked_at", "attempts")}
    audience = {"named": row.named, "topic": row.topic, "reached": row.delivered_count}
    return Parked(**shown, step=step, error=row.last_error or "", **audience)


def _count(conn: Connection, ids: Sequence[UUID], more: int, error: str | None) -> None:
    """Add to the attempts.

    `enqueued` becomes the number of earlier attempts, so that the next one waits until the relay adds one.
    """
    if ids:
        of_them = update(notifications).where(notifications.c.id.in_(ids), notifications.c.parked_at.is_(None))
        before = notifications.c.attempts
        turns = {"enqueued": before} if more > 0 else {}
        counted = case((before + more < 0, 0), else_=before + more)  # another step may have begun, at zero
        conn.execute(of_them.values(attempts=counted, last_error=error, **turns))


def _park(conn: Connection, ids: Sequence[UUID], now: datetime) -> None:
    """The relay enqueues these no more, except to withdraw one that expires while it is parked."""
    if ids:
        expires = and_(UNDELIVERED, notifications.c.expires_at > now)
        turn = case((expires, notifications.c.expires_at))
        conn.execute(update(notifications).where(notifications.c.id.in_(ids)).values(parked_at=now, enqueue_at=turn))

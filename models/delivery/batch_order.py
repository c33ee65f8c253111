"""The order of a batch: a notification that waits holds back later ones of its batch for the same recipients.

A notification waits while it is due and neither delivered, cancelled, expired nor parked. One that is found free stays
free, since those before it can only be delivered or given up. (One that was scheduled or parked at that time holds back
nothing, even if it becomes due, or is retried, a moment later.)

A direct notification and a broadcast share a recipient if the one names a member of the other's audience. Two
broadcasts count as sharing one: to compare their audiences would read both.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, Subquery, func, select

from models.db.database import Connection
from models.db.literals import inline_literal
from models.schema.notifications import notifications
from models.schema.subscriptions import subscriptions

SHOWN = ("id", "batch", "recipients", "topic", "everyone", "attempts")
TIMES = ("delivered_at", "cancelled_at", "parked_at", "deliver_at", "expires_at")
ASKED_AT_ONCE = 1_000  # recipients in one query


@dataclass(frozen=True)
class Order:
    """Which of some notifications may be delivered now (`direct` and `broadcasts`), and which are `held` back.

    The `direct` ones may go together, in one statement or one after the other in the order of ids. `first_held`: of
    those held back the first direct one of each batch, and the first broadcast of each batch.
    `again`: those that may go and had an attempt before.
    """

    direct: list[UUID]
    broadcasts: list[UUID]
    held: list[UUID]
    first_held: list[UUID]
    again: frozenset[UUID] = field(default=frozenset(), compare=False)


@dataclass
class _Audience:
    """Who is concerned by some notifications of a batch."""

    names: set[str] = field(default_factory=set)
    topics: set[str] = field(default_factory=set)
    everyone: bool = False

    def add(self, row: Row[Any]) -> None:
        if row.recipients is not None:
            self.names.update(row.recipients)
        elif row.everyone:
            self.everyone = True
        else:
            self.topics.add(row.topic)

    def shares(self, row: Row[Any], subscribed: "_Subscribed") -> bool:
        """Whether it concerns somebody whom this notification concerns; of two broadcasts it is taken for granted."""
        if row.recipients is None:
            if self.topics or self.everyone or row.everyone:
                return bool(self.topics or self.everyone or self.names)
            return not self.names.isdisjoint(subscribed.recipients_of.get(row.topic, ()))
        if self.everyone or not self.names.isdisjoint(row.recipients):
            return True
        if not self.topics:
            return False
        return any(not self.topics.isdisjoint(subscribed.topics_of.get(one, ())) for one in row.recipients)


@dataclass
class _Subscribed:
    """Which topics the recipients of some notifications are subscribed to, and the other way round."""

    topics_of: dict[str, set[str]] = field(default_factory=dict)
    recipients_of: dict[str, set[str]] = field(default_factory=dict)


def order_of(conn: Connection, ids: Collection[UUID], now: datetime) -> Order:
    """Which of these may go now; others of their batches stay where they are."""
    columns = notifications.c.id, notifications.c.batch, notifications.c.recipients.is_(None).label("broadcasts")
    given = conn.execute(select(*columns).where(notifications.c.id.in_(ids))).all()
    rows = _waiting(conn, {row.batch for row in given if row.batch is not None}, now)
    held, first_held = _held(conn, rows, set(ids))
    broadcasts = {row.id for row in given if row.broadcasts}
    free = sorted(set(ids) - set(held))
    return Order(
        [one for one in free if one not in broadcasts], [one for one in free if one in broadcasts], held, first_held
    )


def next_of(conn: Connection, batches: Collection[UUID], now: datetime) -> Order:
    """Which of these batches may go now. Where only broadcasts wait, those that are held back are not listed."""
    first = first_broadcasts(conn, batches, now)
    mixed = _with_direct(conn, batches, now)
    rows = _waiting(conn, mixed, now)
    held, first_held = _held(conn, rows, {row.id for row in rows})
    stays = set(held)
    free = [row for row in rows if row.id not in stays]
    direct = [row.id for row in free if row.recipients is not None]
    free += [row for batch, (row, *_) in first.items() if batch not in mixed]
    broadcasts = [row.id for row in free if row.recipients is None]
    return Order(direct, broadcasts, held, first_held, frozenset(row.id for row in free if row.attempts))


def hold_on(conn: Connection, broadcast: Row[Any], now: datetime) -> Order | None:
    """What holds this broadcast back; None if nothing does.

    Only the first broadcast of a batch is compared with what else waits in it: the others wait for that one.
    """
    if broadcast.batch is None:
        return None
    rows = waiting_in([broadcast.batch], now)
    before = select(rows.c.id).where(rows.c.id < broadcast.id)
    queries = before.exists(), before.where(rows.c.recipients.is_(None)).exists()
    any_before, broadcast_before = conn.execute(select(*queries)).one()
    if broadcast_before:
        return Order([], [], [broadcast.id], [])
    order = order_of(conn, [broadcast.id], now) if any_before else None
    return order if order and order.held else None


def first_broadcasts(conn: Connection, batches: Collection[UUID], now: datetime) -> dict[UUID, list[Row[Any]]]:
    """The first two broadcasts that wait in each of these batches."""
    rows = waiting_in(batches, now)
    place = func.row_number().over(partition_by=rows.c.batch, order_by=rows.c.id).label("place")
    placed = select(*(rows.c[name] for name in SHOWN), place).where(rows.c.recipients.is_(None)).subquery()
    first = defaultdict[UUID, list[Row[Any]]](list)
    for row in conn.execute(select(placed).where(placed.c.place <= inline_literal(2)).order_by(placed.c.id)):
        first[row.batch].append(row)
    return dict(first)


def batches_of(conn: Connection, ids: Collection[UUID]) -> list[UUID]:
    in_one = select(notifications.c.batch).where(notifications.c.id.in_(ids), notifications.c.batch.is_not(None))
    return list(conn.scalars(in_one.distinct()))


def waiting_in(batches: Collection[UUID], now: datetime) -> Subquery:
    """What waits of these batches; read by their own index, see `models.delivery.postgres`."""
    columns = (notifications.c[name] for name in (*SHOWN, *TIMES))
    theirs = select(*columns).where(notifications.c.batch.in_(batches)).offset(inline_literal(0)).subquery().c
    open_ = [theirs[name].is_(None) for name in ("delivered_at", "cancelled_at", "parked_at")]
    is_due = theirs.deliver_at.is_(None) | (theirs.deliver_at <= now)
    lives = theirs.expires_at.is_(None) | (theirs.expires_at > now)
    return select(*(theirs[name] for name in SHOWN)).where(*open_, is_due, lives).subquery()


def _waiting(conn: Connection, batches: Collection[UUID], now: datetime) -> Sequence[Row[Any]]:
    """In the order of ids."""
    if not batches:
        return []
    rows = waiting_in(batches, now)
    return conn.execute(select(rows).order_by(rows.c.id)).all()


def _with_direct(conn: Connection, batches: Collection[UUID], now: datetime) -> set[UUID]:
    """Those of the batches in which a direct notification waits."""
    rows = waiting_in(batches, now)
    return set(conn.scalars(select(rows.c.batch).where(rows.c.recipients.is_not(None)).distinct()))


def _held(conn: Connection, rows: Sequence[Row[Any]], wanted: set[UUID]) -> tuple[list[UUID], list[UUID]]:
    """Those of the wanted that something holds back, and which of them are the first."""
    subscribed = _subscribed(conn, rows)
    stay, before = defaultdict[UUID, _Audience](_Audience), defaultdict[UUID, _Audience](_Audience)
    held, first = list[UUID](), dict[tuple[UUID, bool], UUID]()
    for row in rows:
        is_wide, is_wanted = row.recipients is None, row.id in wanted
        # What goes together with it goes before it; a broadcast goes with nothing.
        is_held = (before if is_wide else stay)[row.batch].shares(row, subscribed)
        if is_held and is_wanted:
            held.append(row.id)
        if is_held and (is_wanted or is_wide):
            first.setdefault((row.batch, is_wide), row.id)
        if is_held or is_wide or not is_wanted:
            stay[row.batch].add(row)
        before[row.batch].add(row)
    return held, [id_ for id_ in first.values() if id_ in wanted]


def _subscribed(conn: Connection, rows: Sequence[Row[Any]]) -> _Subscribed:
    """Which topics of these the recipients that these name are subscribed to."""
    topics = {row.topic for row in rows if row.recipients is None and row.topic is not None}
    names = sorted({name for row in rows if topics for name in row.recipients or ()})
    found = _Subscribed()
    for start in range(0, len(names), ASKED_AT_ONCE):
        some = subscriptions.c.topic.in_(topics), subscriptions.c.recipient_id.in_(names[start : start + ASKED_AT_ONCE])
        chosen = select(subscriptions.c.topic, subscriptions.c.recipient_id).where(*some)
        for topic, recipient in conn.execute(chosen):
            found.topics_of.setdefault(recipient, set()).add(topic)
            found.recipients_of.setdefault(topic, set()).add(recipient)
    return found

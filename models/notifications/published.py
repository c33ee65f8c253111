"""A producer's own history: what it published, where it stands, and how it was received."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, case, exists, func, literal, select, tuple_

from models.db.database import Session
from models.db.literals import inline_literal
from models.inbox.rendering import Rendered, timestamp
from models.notifications import receipts
from models.notifications.ids import first_id
from models.schema.inbox import inbox_items
from models.schema.notifications import notifications

Condition = ColumnElement[bool]

LOOKED_AT = 5_000  # notifications for one page, of which the filters may throw away all: some tens of milliseconds
A_MILLISECOND = 1 << 80  # in the ids; after the last one of the year 9999 there is none that is a time
NEWEST = (notifications.c.producer_id.desc(), notifications.c.id.desc())


@dataclass(frozen=True)
class HistoryPage:
    """Notifications newest first; `next_before` is where the next page begins."""

    notifications: list[Rendered]
    next_before: UUID | None


def page(
    session: Session,
    producer_id: str,
    *,
    now: datetime,
    kind: str | None = None,
    topic: str | None = None,
    recipient: str | None = None,
    status: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: UUID | None = None,
    limit: int,
) -> HistoryPage:
    """Those that fit all the filters; `since` is included, `until` is not.

    It looks at no more than `LOOKED_AT` notifications: where few of them fit, a page may have fewer than `limit`, or
    none, and a next one.
    """
    place = _place(producer_id, since, until, before)
    looked_at = _shown(now).where(*place).order_by(*NEWEST).limit(inline_literal(LOOKED_AT)).subquery()
    equal = {"kind": kind, "topic": topic, "status": status}
    fitting = [looked_at.c[name] == value for name, value in equal.items() if value is not None]
    if recipient is not None:
        fitting.append(_concerns(session, looked_at, recipient))
    newest = looked_at.c.producer_id.desc(), looked_at.c.id.desc()
    rows = session.execute(select(looked_at).where(*fitting).order_by(*newest).limit(inline_literal(limit + 1))).all()
    next_before = rows[limit - 1].id if len(rows) > limit else _last_looked_at(session, place) if fitting else None
    return HistoryPage([_render(row) for row in rows[:limit]], next_before)


def one(session: Session, producer_id: str, notification_id: UUID, now: datetime) -> Rendered | None:
    """One of this producer's notifications, with its numbers: how many it concerns, reached, were seen and read by."""
    own = (notifications.c.producer_id == producer_id) & (notifications.c.id == notification_id)
    row = session.execute(_shown(now).where(own)).one_or_none()
    if row is None:
        return None
    counted = receipts.of(session, row, now)
    return {**_render(row), **vars(counted), "counted_at": timestamp(counted.counted_at)}


def _shown(now: datetime) -> Select[Any]:
    return select(*notifications.c, _status(now).label("status"))


def _status(now: datetime) -> ColumnElement[str]:
    return case(
        (notifications.c.cancelled_at.is_not(None), "cancelled"),
        (notifications.c.delivered_at.is_not(None), "delivered"),
        (notifications.c.recipient_count > 0, "delivering"),
        (notifications.c.deliver_at > now, "scheduled"),
        else_="accepted",
    )


def _place(producer_id: str, since: datetime | None, until: datetime | None, before: UUID | None) -> list[Condition]:
    """One range of the producer's own index, narrowed at its ends by what the ids say of the time."""
    key = tuple_(notifications.c.producer_id, notifications.c.id)
    # Said as a range, the producer is a part of the order, which its own index has alone. (As one value it would be
    # none, and all producers' notifications be read through for a small one's.)
    place: list[Condition] = [notifications.c.producer_id.between(producer_id, producer_id)]
    if since is not None:
        place += [notifications.c.created_at >= since, key >= tuple_(producer_id, first_id(since))]
    if until is not None:
        just_after = UUID(int=first_id(until).int + A_MILLISECOND)
        place += [notifications.c.created_at < until, key < tuple_(producer_id, just_after)]
    if before is not None:
        place.append(key < tuple_(producer_id, before))
    return place


def _last_looked_at(session: Session, place: Sequence[Condition]) -> UUID | None:
    """Where a page went on looking no further; None when it came to the end."""
    last = (
        select(notifications.c.id)
        .where(*place)
        .order_by(*NEWEST)
        .offset(inline_literal(LOOKED_AT - 1))
        .limit(inline_literal(1))
    )
    return session.scalar(last)


def _concerns(session: Session, looked_at: FromClause, recipient: str) -> Condition:
    """It names this recipient; or, by a topic or sent to everyone, it is in that inbox."""
    each = func.json_array_elements_text if session.dialect.name == "postgresql" else func.json_each
    listed = each(looked_at.c.recipients).table_valued("value")
    named = exists(select(literal(1)).select_from(listed).where(listed.c.value == recipient))
    item = and_(inbox_items.c.notification_id == looked_at.c.id, inbox_items.c.recipient_id == recipient)
    # By its seq: asked whether there is an item, PostgreSQL may read the whole inbox first.
    arrived = select(inbox_items.c.seq).where(item).scalar_subquery().is_not(None)
    return case((looked_at.c.recipients.is_not(None), named), else_=arrived)


def _render(row: Row[Any]) -> Rendered:
    """As its producer sees it; `recipients` is not known of a topic, or of everyone, until all are reached."""
    known = len(row.recipients) if row.recipients is not None else row.recipient_count if row.delivered_at else None
    times = {name: timestamp(getattr(row, name)) for name in ("deliver_at", "delivered_at", "cancelled_at")}
    target = {"everyone": row.everyone}
    numbers = {"recipients": known, "delivered": row.recipient_count}
    return {**json.loads(row.content), **target, "status": row.status, **times, **numbers}

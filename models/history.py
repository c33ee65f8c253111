"""A producer's own history: what it published, where it stands, and how it was received."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, case, exists, func, literal, or_, select, tuple_

from models.database import Session
from models.notifications import first_id
from models.paging import exactly
from models.rendering import Rendered, render_content, timestamp
from models.tables import inbox_items, notifications

Condition = ColumnElement[bool]


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
    """Those that fit all the filters; `since` is included, `until` is not."""
    wanted = [notifications.c[name] == value for name, value in (("kind", kind), ("topic", topic)) if value is not None]
    key = tuple_(notifications.c.producer_id, notifications.c.id)
    if recipient is not None:
        wanted.append(_concerns(session, recipient))
    if status is not None:
        wanted.append(_status(now) == status)
    if since is not None:
        wanted += [notifications.c.created_at >= since, key >= tuple_(producer_id, first_id(since))]
    if until is not None:
        just_after = first_id(until + timedelta(milliseconds=1))
        wanted += [notifications.c.created_at < until, key < tuple_(producer_id, just_after)]
    if before is not None:
        wanted.append(key < tuple_(producer_id, before))
    # Said as a range, the producer is a part of the order, which its own index has alone. (As one value it would be
    # none, and all producers' notifications be read through for a small one's.)
    range_of = notifications.c.producer_id.between(producer_id, producer_id)
    newest = (notifications.c.producer_id.desc(), notifications.c.id.desc())
    query = _shown(now).where(range_of, *wanted).order_by(*newest).limit(exactly(limit + 1))
    rows = session.execute(query).all()
    next_before = rows[limit - 1].id if len(rows) > limit else None
    return HistoryPage([_render(row) for row in rows[:limit]], next_before)


def one(session: Session, producer_id: str, notification_id: UUID, now: datetime) -> Rendered | None:
    """One of this producer's notifications, with its numbers: how many it concerns, reached, were seen and read by."""
    own = (notifications.c.producer_id == producer_id) & (notifications.c.id == notification_id)
    row = session.execute(_shown(now).where(own)).one_or_none()
    if row is None:
        return None
    tally = select(func.count(inbox_items.c.seen_at), func.count(inbox_items.c.read_at))
    seen, read = session.execute(tally.where(inbox_items.c.notification_id == notification_id)).one()
    return {**_render(row), "seen": seen, "read": read}


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


def _concerns(session: Session, recipient: str) -> Condition:
    """It names this recipient, or it is in that inbox: by a topic, or sent to everyone."""
    each = func.json_array_elements_text if session.dialect.name == "postgresql" else func.json_each
    listed = each(notifications.c.recipients).table_valued("value")
    item = and_(inbox_items.c.notification_id == notifications.c.id, inbox_items.c.recipient_id == recipient)
    named = exists(select(literal(1)).select_from(listed).where(listed.c.value == recipient))
    return or_(and_(notifications.c.recipients.is_not(None), named), exists().where(item))


def _render(row: Row[Any]) -> Rendered:
    """As its producer sees it; `recipients` is not known of a topic, or of everyone, until all are reached."""
    known = len(row.recipients) if row.recipients is not None else row.recipient_count if row.delivered_at else None
    times = {name: timestamp(getattr(row, name)) for name in ("deliver_at", "delivered_at", "cancelled_at")}
    target = {"everyone": row.everyone}
    numbers = {"recipients": known, "delivered": row.recipient_count}
    return {**render_content(row), **target, "status": row.status, **times, **numbers}

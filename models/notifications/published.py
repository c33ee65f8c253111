"""The notifications that a producer published, with their status and receipts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, case, exists, func, literal, select, tuple_

from models.db.database import Connection
from models.db.literals import inline_literal
from models.inbox.rendering import Rendered, timestamp
from models.notifications import receipts
from models.notifications.ids import first_id
from models.schema.inbox import inbox_items
from models.schema.notifications import notifications

Condition = ColumnElement[bool]

SCANNED_AT_MOST = 5_000  # notifications for one page, whatever the filters leave of them: some tens of milliseconds
A_MILLISECOND = 1 << 80  # in the ids; added to the last id, since the year 9999 has no later time
NEWEST = (notifications.c.producer_id.desc(), notifications.c.id.desc())


@dataclass(frozen=True)
class PublishedPage:
    """Notifications newest first; `next_before` is the `before` of the next page."""

    notifications: list[Rendered]
    next_before: UUID | None


def page(
    conn: Connection,
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
) -> PublishedPage:
    """The notifications that match all filters; `since` is included, `until` is not.

    A page scans at most `SCANNED_AT_MOST` notifications: if few of them match, it may have fewer than `limit`, or none,
    and a next page.
    """
    scanned = _range(producer_id, since, until, before)
    candidates = _shown(now).where(*scanned).order_by(*NEWEST).limit(inline_literal(SCANNED_AT_MOST)).subquery()
    equal = {"kind": kind, "topic": topic, "status": status}
    matches = [candidates.c[name] == value for name, value in equal.items() if value is not None]
    if recipient is not None:
        matches.append(_concerns(conn, candidates, recipient))
    newest = candidates.c.producer_id.desc(), candidates.c.id.desc()
    rows = conn.execute(select(candidates).where(*matches).order_by(*newest).limit(inline_literal(limit + 1))).all()
    next_before = rows[limit - 1].id if len(rows) > limit else _last_scanned(conn, scanned) if matches else None
    return PublishedPage([_render(row) for row in rows[:limit]], next_before)


def one(conn: Connection, producer_id: str, notification_id: UUID, now: datetime) -> Rendered | None:
    """One of this producer's notifications, with its receipts."""
    own = (notifications.c.producer_id == producer_id) & (notifications.c.id == notification_id)
    row = conn.execute(_shown(now).where(own)).one_or_none()
    if row is None:
        return None
    counts = receipts.of_notification(conn, row, now)
    return {**_render(row), **vars(counts), "counted_at": timestamp(counts.counted_at)}


def _shown(now: datetime) -> Select[Any]:
    return select(*notifications.c, _status(now).label("status"))


def _status(now: datetime) -> ColumnElement[str]:
    return case(
        (notifications.c.cancelled_at.is_not(None), "cancelled"),
        (notifications.c.delivered_at.is_not(None), "delivered"),
        (notifications.c.delivered_count > 0, "delivering"),
        (notifications.c.deliver_at > now, "scheduled"),
        else_="accepted",
    )


def _range(producer_id: str, since: datetime | None, until: datetime | None, before: UUID | None) -> list[Condition]:
    """One range of the index by producer and id. An id begins with a time, so `since` and `until` bound the range."""
    key = tuple_(notifications.c.producer_id, notifications.c.id)
    # As a range of one value, the producer is a part of the sort order, which only this index has. With `=` the planner
    # drops it from the order, and may scan all producers' notifications by id to find those of a small one.
    scanned: list[Condition] = [notifications.c.producer_id.between(producer_id, producer_id)]
    if since is not None:
        scanned += [notifications.c.created_at >= since, key >= tuple_(producer_id, first_id(since))]
    if until is not None:
        just_after = UUID(int=first_id(until).int + A_MILLISECOND)
        scanned += [notifications.c.created_at < until, key < tuple_(producer_id, just_after)]
    if before is not None:
        scanned.append(key < tuple_(producer_id, before))
    return scanned


def _last_scanned(conn: Connection, scanned: Sequence[Condition]) -> UUID | None:
    """The last notification that a page scans; None if the range ends before."""
    newest = select(notifications.c.id).where(*scanned).order_by(*NEWEST)
    return conn.scalar(newest.offset(inline_literal(SCANNED_AT_MOST - 1)).limit(inline_literal(1)))


def _concerns(conn: Connection, candidates: FromClause, recipient: str) -> Condition:
    """Whether it names this recipient; or, of a broadcast, whether it is in that inbox."""
    each = func.json_array_elements_text if conn.dialect.name == "postgresql" else func.json_each
    listed = each(candidates.c.recipients).table_valued("value")
    named = exists(select(literal(1)).select_from(listed).where(listed.c.value == recipient))
    item = and_(inbox_items.c.notification_id == candidates.c.id, inbox_items.c.recipient_id == recipient)
    # Not EXISTS: for that PostgreSQL may read the whole inbox first.
    arrived = select(inbox_items.c.seq).where(item).scalar_subquery().is_not(None)
    return case((candidates.c.recipients.is_not(None), named), else_=arrived)


def _render(row: Row[Any]) -> Rendered:
    """A notification as its producer sees it. Of a broadcast, `recipients` is known when all have it."""
    known = len(row.recipients) if row.recipients is not None else row.delivered_count if row.delivered_at else None
    times = {name: timestamp(getattr(row, name)) for name in ("deliver_at", "delivered_at", "cancelled_at")}
    target = {"everyone": row.everyone}
    numbers = {"recipients": known, "delivered": row.delivered_count}
    return {**json.loads(row.content), **target, "status": row.status, **times, **numbers}

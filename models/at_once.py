"""Items arrive in inboxes on PostgreSQL: one statement writes however many, and nothing of them comes by Python twice.

In each the inboxes are locked in the order of recipients, so that two transactions with the same ones wait for each
other instead of deadlocking.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text

from models.arrival import Arrivals
from models.database import Session, fetch
from models.rendering import Change

# Notifications that name their recipients are locked in the order of their ids, for the same reason; what is for many
# is not, as who fans it out holds it for as long as there are chunks. Of the former a portion is claimed, in the order
# given: as many as fit, the first in any case. `later`: how many come after an item in the same inbox.
_WAITING = """WHERE id = ANY(:ids) AND delivered_at IS NULL AND cancelled_at IS NULL AND parked_at IS NULL
        AND (deliver_at IS NULL OR deliver_at <= :now)"""
_DELIVERY = """
WITH waiting AS MATERIALIZED (
    SELECT id, content, kind, topic, severity, actor, recipients, expires_at FROM notifications
    {waiting} AND recipients IS NOT NULL
    ORDER BY id FOR UPDATE
), measured AS MATERIALIZED (
    SELECT *, size = reach OR reach <= :most AS fits, expires_at IS NULL OR expires_at > :now AS lives
    FROM (SELECT *, sum(size) OVER (ORDER BY nth) AS reach
        FROM (SELECT *, json_array_length(recipients) AS size, array_position(:ids, id) AS nth FROM waiting) AS sized)
        AS summed
), claimed AS (
    UPDATE notifications SET delivered_at = :now, enqueue_at = notifications.expires_at, enqueued = 0, attempts = 0,
        parked_at = NULL, recipient_count = CASE WHEN lives THEN size ELSE 0 END
    FROM measured WHERE notifications.id = measured.id AND fits
), given AS MATERIALIZED (
    SELECT measured.*, recipient COLLATE "C" AS recipient, row_number() OVER (ORDER BY nth, at) AS place
    FROM measured, json_array_elements_text(recipients) WITH ORDINALITY AS named (recipient, at) WHERE fits AND lives
), moved AS (
    INSERT INTO inboxes (recipient_id, version, unread, unseen, changes_since, opened_at)
    SELECT recipient, count(*), count(*), count(*), 0, :now FROM given GROUP BY recipient ORDER BY recipient
    ON CONFLICT (recipient_id) DO UPDATE SET version = inboxes.version + excluded.version,
        unread = inboxes.unread + excluded.unread, unseen = inboxes.unseen + excluded.unseen
    RETURNING recipient_id, version, unread, unseen
), numbered AS MATERIALIZED (
    SELECT given.*, version, unread, unseen, row_number() OVER (PARTITION BY recipient ORDER BY place DESC) - 1 AS later
    FROM given JOIN moved ON recipient_id = recipient
), written AS (
    INSERT INTO inbox_items (recipient_id, seq, version, notification_id, kind, topic, severity, actor)
    SELECT recipient, version - later, version - later, id, kind, topic, severity, actor FROM numbered
)
SELECT ARRAY(SELECT id FROM measured WHERE NOT fits ORDER BY nth),
    ARRAY(SELECT id FROM notifications {waiting} AND recipients IS NULL ORDER BY id),
    ARRAY(SELECT content FROM measured WHERE fits AND lives AND size > 0 ORDER BY nth),
    array_agg(content_nth), array_agg(recipient), array_agg(version - later),
    array_agg(unread - later), array_agg(unseen - later),
    (SELECT epoch FROM history)
FROM (SELECT *, dense_rank() OVER (ORDER BY nth) - 1 AS content_nth FROM numbered ORDER BY place) AS in_order
"""
_DELIVER = text(_DELIVERY.format(waiting=_WAITING))

# Each recipient is given one item: what makes the statement above general would be a quarter of the work.
_FAN_OUT = """
WITH given AS MATERIALIZED (
    {audience} AND recipient_id > :after AND recipient_id <= :until ORDER BY recipient_id LIMIT {size}
), said AS MATERIALIZED (
    SELECT id, kind, topic, severity, actor FROM notifications WHERE id = :id
), moved AS (
    INSERT INTO inboxes (recipient_id, version, unread, unseen, changes_since, opened_at)
    SELECT recipient_id, 1, 1, 1, 0, :now FROM given ORDER BY recipient_id
    ON CONFLICT (recipient_id) DO UPDATE
    SET version = inboxes.version + 1, unread = inboxes.unread + 1, unseen = inboxes.unseen + 1
    RETURNING recipient_id, version, unread, unseen
), written AS (
    INSERT INTO inbox_items (recipient_id, seq, version, notification_id, kind, topic, severity, actor)
    SELECT recipient_id, version, version, id, kind, topic, severity, actor FROM moved, said
)
SELECT array_agg(recipient_id), array_agg(version), array_agg(unread), array_agg(unseen), (SELECT epoch FROM history)
FROM (SELECT * FROM moved ORDER BY recipient_id) AS in_order
"""
_SUBSCRIBERS = "SELECT recipient_id FROM subscriptions WHERE topic = :topic"
_EVERYONE = "SELECT recipient_id FROM inboxes WHERE true"


def deliver(
    session: Session, ids: Sequence[UUID], most: int, now: datetime
) -> tuple[Sequence[Change], list[UUID], list[UUID]]:
    """Deliver these notifications, up to so many items; answers what arrived, what is left, and what is for many."""
    given = {"ids": list(ids), "most": most, "now": now}
    [(left, wide, contents, places, recipients, *rest)] = fetch(session, _DELIVER, given)
    return Arrivals(contents, places, recipients, *rest) if recipients else [], left, wide


def write_next(session: Session, row: Row[Any], after: str, until: str, size: int, now: datetime) -> Sequence[Change]:
    """Write an item for the first `size` of a notification's audience `after` a recipient and up to another."""
    given = {"id": row.id, "topic": row.topic, "after": after, "until": until, "now": now}
    [(recipients, *rest)] = fetch(session, _fan_out(row.everyone, size), given)
    return Arrivals([row.content], [0] * len(recipients), recipients, *rest) if recipients else []


@lru_cache
def _fan_out(everyone: bool, size: int) -> TextClause:
    return text(_FAN_OUT.format(audience=_EVERYONE if everyone else _SUBSCRIBERS, size=size))

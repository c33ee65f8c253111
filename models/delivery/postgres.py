"""Items arrive in inboxes on PostgreSQL: one statement writes however many, and nothing of them comes by Python twice.

In each the inboxes are locked in the order of recipients, so that two transactions with the same ones wait for each
other instead of deadlocking.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text

from lib.rendering.delivered_items import DeliveredItems
from models.db.database import Session, fetch
from models.inbox.rendering import render_new_item

# Notifications that name their recipients are locked in the order of their ids, for the same reason; broadcasts are
# not, as who fans one out holds it for as long as there are chunks. Of the former a portion is claimed, in the same
# order: as many as fit, the first in any case. `later`: how many come after an item in the same inbox.
#
# There are two statements. The one for single notifications leaves alone what came in a batch: to look at what is
# before it would cost each single one a tenth. The one for batches knows `ahead`, the first of each batch that waits
# and is not at hand; what is behind it is left out, unless the caller knows that it may go (`:ordered`, see
# `models.delivery.batch_order`). OFFSET 0 has the batch read by its own index: the planner would take that of all that
# is undelivered, which is the shorter one until there is a backlog.
_WAITS = """delivered_at IS NULL AND cancelled_at IS NULL AND parked_at IS NULL
        AND (deliver_at IS NULL OR deliver_at <= :now)"""
_DELIVERY = """
WITH waiting AS MATERIALIZED (
    SELECT id, batch, content, kind, topic, severity, actor, recipients, expires_at FROM notifications
    WHERE id = ANY(:ids) AND {waits} AND recipients IS NOT NULL
    ORDER BY id FOR UPDATE
{ahead}), measured AS MATERIALIZED (
    SELECT *, size = reach OR reach <= :most AS fits, expires_at IS NULL OR expires_at > :now AS lives
    FROM (SELECT *, sum(size) OVER (ORDER BY id) AS reach
        FROM (SELECT waiting.*, json_array_length(recipients) AS size FROM waiting {free}) AS sized) AS summed
), claimed AS (
    UPDATE notifications SET delivered_at = :now, enqueue_at = notifications.expires_at, enqueued = 0, attempts = 0,
        parked_at = NULL, recipient_count = CASE WHEN lives THEN size ELSE 0 END
    FROM measured WHERE notifications.id = measured.id AND fits
), given AS MATERIALIZED (
    SELECT measured.*, recipient COLLATE "C" AS recipient, row_number() OVER (ORDER BY id, at) AS place
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
SELECT ARRAY(SELECT id FROM measured WHERE NOT fits ORDER BY id),
    {beside},
    ARRAY(SELECT content FROM measured WHERE fits AND lives AND size > 0 ORDER BY id),
    array_agg(content_nth), array_agg(recipient), array_agg(version - later),
    array_agg(unread - later), array_agg(unseen - later),
    (SELECT epoch FROM epoch)
FROM (SELECT *, dense_rank() OVER (ORDER BY id) - 1 AS content_nth FROM numbered ORDER BY place) AS in_order
"""
_AHEAD = """), ahead AS MATERIALIZED (
    SELECT batch, first FROM (SELECT DISTINCT batch FROM waiting WHERE NOT :ordered) AS theirs
    CROSS JOIN LATERAL (SELECT id AS first
        FROM (SELECT * FROM notifications WHERE notifications.batch = theirs.batch ORDER BY id OFFSET 0) AS in_order
        WHERE {waits} AND (expires_at IS NULL OR expires_at > :now) AND id NOT IN (SELECT id FROM waiting) LIMIT 1
    ) AS others
"""
_WIDE_AND_BATCHED = """
    ARRAY(SELECT id FROM notifications WHERE id = ANY(:ids) AND {waits} AND recipients IS NULL ORDER BY id),
    ARRAY(SELECT id FROM waiting WHERE batch IS NOT NULL)"""
_SINGLE = {
    "ahead": "",
    "free": "WHERE batch IS NULL",
    "beside": _WIDE_AND_BATCHED.format(waits=_WAITS),
}
_BATCHED = {
    "ahead": _AHEAD.format(waits=_WAITS),
    "free": "LEFT JOIN ahead USING (batch) WHERE first IS NULL OR id < first",
    "beside": """ARRAY(SELECT id FROM waiting JOIN ahead USING (batch) WHERE id > first ORDER BY id),
    ARRAY(SELECT DISTINCT batch FROM measured WHERE fits AND batch IS NOT NULL)""",
}
_DELIVER_SINGLE = text(_DELIVERY.format(waits=_WAITS, **_SINGLE))
_DELIVER_BATCHED = text(_DELIVERY.format(waits=_WAITS, **_BATCHED))

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
SELECT array_agg(recipient_id), array_agg(version), array_agg(unread), array_agg(unseen), (SELECT epoch FROM epoch)
FROM (SELECT * FROM moved ORDER BY recipient_id) AS in_order
"""
_SUBSCRIBERS = "SELECT recipient_id FROM subscriptions WHERE topic = :topic"
_EVERYONE = "SELECT recipient_id FROM inboxes WHERE true"


@dataclass(frozen=True)
class Claimed:
    """What arrived; and of what was not claimed: what wants another transaction, the broadcasts, and what may have to
    wait. `batches`: those that what arrived came in.
    """

    items: DeliveredItems
    left: list[UUID]
    wide: list[UUID]
    behind: list[UUID]
    batches: list[UUID]


def deliver(session: Session, ids: Sequence[UUID], most: int, now: datetime, *, ordered: bool) -> Claimed:
    """Deliver those of these notifications that may be delivered, up to so many items, in the order of ids."""
    given = {"ids": list(ids), "most": most, "now": now, "ordered": ordered}
    wide = list[UUID]()
    if not ordered:
        [(left, wide, batched, *columns)] = fetch(session, _DELIVER_SINGLE, given)
        items = _delivered(*columns)
        if items or left or not batched:  # two portions in one transaction would lock inboxes out of order
            return Claimed(items, left + batched, wide, [], [])
    [(left, behind, batches, *columns)] = fetch(session, _DELIVER_BATCHED, given)
    return Claimed(_delivered(*columns), left, wide, behind, batches)


def _delivered(contents: list[str], places: list[int], recipients: list[str] | None, *rest: Any) -> DeliveredItems:
    if not recipients:
        return DeliveredItems()
    return DeliveredItems([render_new_item(content) for content in contents], places, recipients, *rest)


def write_next(session: Session, row: Row[Any], after: str, until: str, size: int, now: datetime) -> DeliveredItems:
    """Write an item for the first `size` of a notification's audience `after` a recipient and up to another."""
    given = {"id": row.id, "topic": row.topic, "after": after, "until": until, "now": now}
    [(recipients, *rest)] = fetch(session, _fan_out(row.everyone, size), given)
    return _delivered([row.content], [0] * len(recipients or ()), recipients, *rest)


@lru_cache
def _fan_out(everyone: bool, size: int) -> TextClause:
    return text(_FAN_OUT.format(audience=_EVERYONE if everyone else _SUBSCRIBERS, size=size))

"""Items arrive in inboxes on PostgreSQL: one statement writes however many, and nothing of them comes by Python twice.

In each the inboxes are locked in the order of recipients, so that two transactions with the same ones wait for each
other instead of deadlocking.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Row, TextClause, text

from lib.rendering.delivered_items import DeliveredItems
from models.db.database import Connection, execute_prepared
from models.delivery.outcome import Delivery
from models.inbox.rendering import render_new_item

_ONLY = "  -- only: "


def _form(name: str) -> TextClause:
    """The lines of `deliver.sql` that belong to this form of the statement, without comments."""
    lines = [line.partition(_ONLY) for line in _FILE.read_text().splitlines() if not line.lstrip().startswith("--")]
    return text("\n".join(line for line, _, forms in lines if not forms or name in forms.split(", ")))


# The form for single notifications leaves members of batches alone: to look at what is before them in their batch would
# cost each single one a tenth.
_FILE = Path(__file__).with_name("deliver.sql")
_DELIVER_SINGLE, _DELIVER_BATCHED = _form("single"), _form("batched")

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


def deliver(conn: Connection, ids: Sequence[UUID], most: int, now: datetime, *, ordered: bool) -> Delivery:
    """Deliver those of these notifications that may be delivered, up to so many items, in the order of ids."""
    given = {"ids": list(ids), "most": most, "now": now, "ordered": ordered}
    broadcasts = list[UUID]()
    if not ordered:
        [(remaining, broadcasts, batched, *columns)] = execute_prepared(conn, _DELIVER_SINGLE, given)
        items = _delivered(*columns)
        if items or remaining or not batched:  # two deliveries in one transaction would lock inboxes out of order
            return Delivery(items, remaining + batched, broadcasts, [], [])
    [(remaining, behind, batches, *columns)] = execute_prepared(conn, _DELIVER_BATCHED, given)
    return Delivery(_delivered(*columns), remaining, broadcasts, behind, batches)


def _delivered(contents: list[str], places: list[int], recipients: list[str] | None, *rest: Any) -> DeliveredItems:
    if not recipients:
        return DeliveredItems()
    return DeliveredItems([render_new_item(content) for content in contents], places, recipients, *rest)


def write_next(conn: Connection, row: Row[Any], after: str, until: str, size: int, now: datetime) -> DeliveredItems:
    """Write an item for the first `size` of a notification's audience `after` a recipient and up to another."""
    given = {"id": row.id, "topic": row.topic, "after": after, "until": until, "now": now}
    [(recipients, *rest)] = execute_prepared(conn, _fan_out(row.everyone, size), given)
    return _delivered([row.content], [0] * len(recipients or ()), recipients, *rest)


@lru_cache
def _fan_out(everyone: bool, size: int) -> TextClause:
    return text(_FAN_OUT.format(audience=_EVERYONE if everyone else _SUBSCRIBERS, size=size))

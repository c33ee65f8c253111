"""Items arrive in inboxes: each takes the next version of its inbox, under that inbox's lock."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text

from models.database import Session
from models.numberline import Step, move_on
from models.rendering import Change, render_arrival
from models.tables import inbox_items

FILTERS = ("kind", "topic", "severity", "actor")  # copied to each item, so that an inbox is filtered by index

# One statement, however many. The inboxes are locked in the order of recipients, so that two transactions with the same
# ones wait for each other instead of deadlocking. `later`: how many of those given come after it in the same inbox.
_WRITE = text("""
WITH given AS MATERIALIZED (
    SELECT recipient COLLATE "C" AS recipient, which, place
    FROM unnest(CAST(:recipients AS text[]), CAST(:which AS int[])) WITH ORDINALITY AS pair (recipient, which, place)
), said AS MATERIALIZED (
    SELECT nth, notifications.id, kind, topic, severity, actor
    FROM unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS wanted (id, nth) JOIN notifications USING (id)
), moved AS (
    INSERT INTO inboxes (recipient_id, version, unread, unseen, changes_since, opened_at)
    SELECT recipient, count(*), count(*), count(*), 0, CAST(:now AS timestamptz)
    FROM given GROUP BY recipient ORDER BY recipient
    ON CONFLICT (recipient_id) DO UPDATE SET version = inboxes.version + excluded.version,
        unread = inboxes.unread + excluded.unread, unseen = inboxes.unseen + excluded.unseen
    RETURNING recipient_id, version, unread, unseen
), numbered AS MATERIALIZED (
    SELECT given.*, moved.*, row_number() OVER (PARTITION BY recipient ORDER BY place DESC) - 1 AS later
    FROM given JOIN moved ON recipient_id = recipient
), written AS (
    INSERT INTO inbox_items (recipient_id, seq, version, notification_id, kind, topic, severity, actor)
    SELECT recipient, version - later, version - later, said.id, kind, topic, severity, actor
    FROM numbered JOIN said ON nth = which
)
SELECT recipient, which, version - later AS version, unread - later AS unread, unseen - later AS unseen,
    (SELECT epoch FROM history) AS epoch
FROM numbered ORDER BY place
""")


def write_items(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> list[Change]:
    """Give each (notification, recipient), in this order, the recipient's next version, and write the item."""
    if not pairs:
        return []
    write = _write_at_once if session.dialect.name == "postgresql" else _write
    return write(session, pairs, now)


def _write_at_once(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> list[Change]:
    place: dict[UUID, int] = {}
    which = [place.setdefault(row.id, len(place) + 1) for row, _ in pairs]
    given = {"recipients": [recipient for _, recipient in pairs], "which": which, "ids": list(place), "now": now}
    said = {place[id_]: arrival for id_, arrival in _arrivals(pairs).items()}
    return [
        Change(recipient, version, said[nth], unread, unseen, epoch)
        for recipient, nth, version, unread, unseen, epoch in session.execute(_WRITE, given)
    ]


def _write(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> list[Change]:
    later = Counter(recipient for _, recipient in pairs)
    after = move_on(session, {recipient: Step(n, n, n) for recipient, n in later.items()}, now)
    said = _arrivals(pairs)
    changes, items = [], []
    for row, recipient in pairs:
        later[recipient] -= 1
        left, inbox = later[recipient], after[recipient]
        seq = inbox.version - left
        changes.append(Change(recipient, seq, said[row.id], inbox.unread - left, inbox.unseen - left, inbox.epoch))
        filters = {name: getattr(row, name) for name in FILTERS}
        items.append({"recipient_id": recipient, "seq": seq, "version": seq, "notification_id": row.id, **filters})
    session.execute(inbox_items.insert(), items)
    return changes


def _arrivals(pairs: Sequence[tuple[Row[Any], str]]) -> dict[UUID, dict[str, Any]]:
    rows = {row.id: row for row, _ in pairs}
    return {id_: render_arrival(row) for id_, row in rows.items()}

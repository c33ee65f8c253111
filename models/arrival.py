"""Items arrive in inboxes: each takes the next version of its inbox, under that inbox's lock."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, overload
from uuid import UUID

from sqlalchemy import Row, Select, TextClause, select, text

from models.database import Session
from models.numberline import Step, move_on
from models.paging import exactly
from models.rendering import Change, Rendered, render_arrival
from models.tables import inbox_items, inboxes, subscriptions

FILTERS = ("kind", "topic", "severity", "actor")  # copied to each item, so that an inbox is filtered by index


@dataclass(frozen=True)
class Arrivals(Sequence[Change]):
    """Items that arrived, in order: column by column, since an object for each costs more than all the rest."""

    said: list[Rendered]  # of each notification
    places: list[int]  # which of them each item is of
    recipients: list[str]
    versions: list[int]
    unread: list[int]
    unseen: list[int]
    epoch: UUID

    def add(self, place: int, recipient: str, version: int, unread: int, unseen: int) -> None:
        self.places.append(place)
        self.recipients.append(recipient)
        self.versions.append(version)
        self.unread.append(unread)
        self.unseen.append(unseen)

    def __len__(self) -> int:
        return len(self.recipients)

    @overload
    def __getitem__(self, at: int) -> Change: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Change]: ...
    def __getitem__(self, at: int | slice) -> Change | Sequence[Change]:
        if isinstance(at, slice):
            return [self[one] for one in range(len(self))[at]]
        said = self.said[self.places[at]]
        return Change(self.recipients[at], self.versions[at], said, self.unread[at], self.unseen[at], self.epoch)


# Below, one statement writes however many. The inboxes are locked in the order of recipients, so that two transactions
# with the same ones wait for each other instead of deadlocking.
# `later`: how many of those given come after it in the same inbox.
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
    FROM numbered JOIN said ON nth = which + 1
)
SELECT array_agg(which), array_agg(recipient), array_agg(version - later), array_agg(unread - later),
    array_agg(unseen - later), (SELECT epoch FROM history)
FROM (SELECT * FROM numbered ORDER BY place) AS in_order
""")

# Each of the recipients is given one item: what makes the statement above general would be a quarter of the work.
_WRITE_NEXT = """
WITH given AS MATERIALIZED (
    {audience} AND recipient_id > :after AND recipient_id <= :until ORDER BY recipient_id LIMIT {size}
), said AS MATERIALIZED (
    SELECT id, kind, topic, severity, actor FROM notifications WHERE id = :id
), moved AS (
    INSERT INTO inboxes (recipient_id, version, unread, unseen, changes_since, opened_at)
    SELECT recipient_id, 1, 1, 1, 0, CAST(:now AS timestamptz) FROM given ORDER BY recipient_id
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


def write_items(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> Sequence[Change]:
    """Give each (notification, recipient), in this order, the recipient's next version, and write the item."""
    if not pairs:
        return []
    write = _write_at_once if session.dialect.name == "postgresql" else _write
    return write(session, pairs, now)


def write_next(session: Session, row: Row[Any], after: str, until: str, size: int, now: datetime) -> Sequence[Change]:
    """The same for the first `size` of its audience `after` a recipient and up to another; in their order."""
    if session.dialect.name != "postgresql":
        known = audience(row).subquery().c.recipient_id
        wanted = select(known).where(known > after, known <= until).order_by(known).limit(exactly(size))
        return write_items(session, [(row, recipient) for recipient in session.scalars(wanted)], now)
    given = {"id": row.id, "topic": row.topic, "after": after, "until": until, "now": now}
    recipients, *numbers = session.execute(_write_next(row.everyone, size), given).one()
    return Arrivals([render_arrival(row)], [0] * len(recipients), recipients, *numbers) if recipients else []


def audience(row: Row[Any]) -> Select[Any]:
    """The recipients of what is for a topic, or for everyone."""
    if row.everyone:
        return select(inboxes.c.recipient_id)
    return select(subscriptions.c.recipient_id).where(subscriptions.c.topic == row.topic)


@lru_cache
def _write_next(everyone: bool, size: int) -> TextClause:
    return text(_WRITE_NEXT.format(audience=_EVERYONE if everyone else _SUBSCRIBERS, size=size))


def _write_at_once(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> Arrivals:
    rows = {row.id: row for row, _ in pairs}
    place = {id_: n for n, id_ in enumerate(rows)}
    which = [place[row.id] for row, _ in pairs]
    given = {"recipients": [recipient for _, recipient in pairs], "which": which, "ids": list(rows), "now": now}
    return Arrivals([render_arrival(row) for row in rows.values()], *session.execute(_WRITE, given).one())


def _write(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> Arrivals:
    later = Counter(recipient for _, recipient in pairs)
    after = move_on(session, {recipient: Step(n, n, n) for recipient, n in later.items()}, now)
    rows = {row.id: row for row, _ in pairs}
    place = {id_: n for n, id_ in enumerate(rows)}
    epoch = next(iter(after.values())).epoch
    arrivals = Arrivals([render_arrival(row) for row in rows.values()], [], [], [], [], [], epoch)
    items = []
    for row, recipient in pairs:
        later[recipient] -= 1
        left, inbox = later[recipient], after[recipient]
        seq = inbox.version - left
        arrivals.add(place[row.id], recipient, seq, inbox.unread - left, inbox.unseen - left)
        filters = {name: getattr(row, name) for name in FILTERS}
        items.append({"recipient_id": recipient, "seq": seq, "version": seq, "notification_id": row.id, **filters})
    session.execute(inbox_items.insert(), items)
    return arrivals

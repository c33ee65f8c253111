"""Reading one recipient's inbox. Every query demands its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_

from lib.rendering.rendered_json import Json, render
from models.db.database import Connection, execute_prepared
from models.db.insert import insert_or_skip
from models.inbox import statements
from models.inbox.rendering import Change, render_added, render_change, render_item
from models.inbox.rows import ChangesRow, ItemRow, PageRow, SummaryRow
from models.inbox.versions import EPOCH
from models.schema.inbox import inbox_changes, inbox_items, inboxes

Condition = ColumnElement[bool]

# Expressed by `state`, which the indexes begin with. An unseen item is unread.
UNREAD = inbox_items.c.state == "unread"
UNSEEN = UNREAD & inbox_items.c.seen_at.is_(None)


class ResyncRequired(Exception):
    """Changes since that version are not kept, or it is of another epoch: load the inbox anew."""


@dataclass(frozen=True)
class Summary:
    """The counts of an inbox at one version of one epoch."""

    unread: int
    unseen: int
    version: int
    epoch: UUID


class NeverOpened(Summary):
    """Of an inbox that does not exist: nothing was delivered to it, and nobody has read it."""


@dataclass(frozen=True)
class Page:
    items: list[Json]
    next_before: int | None
    summary: Summary


@dataclass(frozen=True)
class Changes:
    """The changes between the client's version and `version`; `more` if the inbox is at a later one."""

    changes: list[Json]
    version: int
    more: bool
    summary: Summary


def own(recipient_id: str) -> Condition:
    return inbox_items.c.recipient_id == recipient_id


def open_inbox(conn: Connection, recipient_id: str, now: datetime) -> None:
    """Create this recipient's inbox unless it exists."""
    open_inboxes(conn, [recipient_id], now)


def open_inboxes(conn: Connection, recipient_ids: Sequence[str], now: datetime) -> None:
    """Create inboxes that do not exist, so that notifications for everyone reach them."""
    empty = {"version": 0, "unread": 0, "unseen": 0, "changes_since": 0, "opened_at": now}
    if recipient_ids:
        insert_or_skip(conn, inboxes, [{"recipient_id": one, **empty} for one in sorted(set(recipient_ids))])


def current_summary(conn: Connection, recipient_id: str) -> Summary:
    rows = execute_prepared(conn, statements.SUMMARY, {"owner": recipient_id})
    return _summary(SummaryRow._make(rows[0])) if rows else _never_opened(conn)


def _never_opened(conn: Connection) -> Summary:
    [(epoch,)] = execute_prepared(conn, statements.EPOCH_ALONE, {})
    return NeverOpened(0, 0, 0, epoch)


def page(
    conn: Connection,
    recipient_id: str,
    *,
    state: str | None = None,
    kind: str | None = None,
    topic: str | None = None,
    severity: str | None = None,
    actor: str | None = None,
    before: int | None = None,
    limit: int,
) -> Page:
    """Items newest first, those with a seq below `before`; `next_before` is the `before` of the next page."""
    filters = {"kind": kind, "topic": topic, "severity": severity, "actor": actor}
    params = {name: value for name, value in filters.items() if value is not None}
    names = tuple("no severity" if value == "none" and name == "severity" else name for name, value in params.items())
    query = statements.page(state, names, before is not None, limit + 1)
    found = execute_prepared(conn, query, {"owner": recipient_id, "before": before, **params})
    rows = [PageRow._make(row) for row in found]
    summary = _summary(rows[0]) if rows else _never_opened(conn)  # a second query could find it opened by now
    items = [row for row in rows if row.seq is not None]
    next_before = items[limit - 1].seq if len(items) > limit else None
    return Page([render_item(row) for row in items[:limit]], next_before, summary)


def item(conn: Connection, recipient_id: str, seq: int) -> Json | None:
    rows = execute_prepared(conn, statements.ITEM, {"owner": recipient_id, "seq": seq})
    return render_item(ItemRow._make(rows[0])) if rows else None


def changes(conn: Connection, recipient_id: str, since: int, limit: int) -> Changes:
    """The changes after version `since`, oldest first. Raises `ResyncRequired`."""
    found = execute_prepared(conn, statements.changes(limit + 1), {"owner": recipient_id, "since": since})
    rows = [ChangesRow._make(row) for row in found]
    summary = _summary(rows[0]) if rows else _never_opened(conn)
    kept_since = rows[0].changes_since if rows else 0
    if not kept_since <= since <= summary.version:
        raise ResyncRequired
    changed = [row for row in rows if row.at_version is not None]
    more = len(changed) > limit
    version = changed[limit - 1].at_version if more else summary.version
    return Changes([_render_change(row) for row in changed[:limit]], version, more, summary)


def _render_change(row: ChangesRow) -> Json:
    return render_added(row.seq, render_item(row)) if row.change is None else render(render_change(row))


def change_log(conn: Connection, recipient_id: str, versions: Sequence[int]) -> list[Change]:
    """These changes of state, each with the counts of its own version, as they are announced."""
    epoch = conn.scalars(select(EPOCH)).one()
    key = tuple_(inbox_changes.c.recipient_id, inbox_changes.c.version)
    named = key.in_([(recipient_id, version) for version in versions])
    rows = conn.execute(select(*inbox_changes.c).where(named).order_by(inbox_changes.c.version))
    return [Change(recipient_id, row.version, render_change(row), row.unread, row.unseen, epoch) for row in rows]


def _summary(row: SummaryRow | PageRow | ChangesRow) -> Summary:
    return Summary(row.unread, row.unseen, row.inbox_version, row.epoch)

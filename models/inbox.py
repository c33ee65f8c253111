"""Reading one recipient's inbox. Every query demands its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Subquery,
    literal_column,
    select,
    true,
    tuple_,
    union_all,
)

from models.database import Session
from models.insert import insert_new
from models.numberline import EPOCH
from models.paging import exactly
from models.rendering import CONTENT, STATE_TIMES, Change, Rendered, render_added, render_change, render_item
from models.tables import inbox_changes, inbox_items, inboxes, notifications

Condition = ColumnElement[bool]

# What `render_item` shows of an item, and of its notification.
ITEM = tuple(inbox_items.c[name] for name in ("seq", "version", *STATE_TIMES))
CONTENT_OF = tuple(notifications.c[name] for name in ("id", *CONTENT, "created_at", "expires_at"))
NOTIFICATION_ID = inbox_items.c.notification_id

# Said by `state`, which the indices begin with. What is unseen is unread.
UNREAD = inbox_items.c.state == "unread"
UNSEEN = UNREAD & inbox_items.c.seen_at.is_(None)

LISTS: dict[str | None, tuple[str, ...]] = {
    None: ("unread", "read"),
    "unread": ("unread",),
    "read": ("read",),
    "archived": ("archived",),
    "all": ("unread", "read", "archived"),
}


class ResyncRequired(Exception):
    """Changes since that version are not kept, or it is not of this history: load the inbox anew."""


@dataclass(frozen=True)
class Summary:
    """The counts of an inbox at one version of one history."""

    unread: int
    unseen: int
    version: int
    epoch: UUID


@dataclass(frozen=True)
class Page:
    items: list[Rendered]
    next_before: int | None
    summary: Summary


@dataclass(frozen=True)
class Changes:
    """What takes a client from the version it named to `version`; `more` when that is not yet the present."""

    changes: list[Rendered]
    version: int
    more: bool
    summary: Summary


def own(recipient_id: str) -> Condition:
    return inbox_items.c.recipient_id == recipient_id


def own_named(recipient_id: str, seqs: Sequence[int]) -> Condition:
    """These items, each found by its key: with the owner apart, PostgreSQL may read the whole inbox to find a few."""
    return tuple_(inbox_items.c.recipient_id, inbox_items.c.seq).in_([(recipient_id, seq) for seq in seqs])


def open_inbox(session: Session, recipient_id: str, now: datetime) -> None:
    """Make this recipient known from now on."""
    open_inboxes(session, [recipient_id], now)


def open_inboxes(session: Session, recipient_ids: Sequence[str], now: datetime) -> None:
    """Make recipients known, so that what is sent to everyone reaches them."""
    empty = {"version": 0, "unread": 0, "unseen": 0, "changes_since": 0, "opened_at": now}
    insert_new(session, inboxes, [{"recipient_id": one, **empty} for one in sorted(set(recipient_ids))])


def summary(session: Session, recipient_id: str) -> Summary | None:
    """None when this inbox was never opened."""
    row = session.execute(_standing_of(recipient_id)).one_or_none()
    return Summary(*row[:4]) if row else None


def present(session: Session, recipient_id: str) -> Summary:
    """Like `summary`, with an empty one for an inbox that was never opened."""
    return summary(session, recipient_id) or Summary(0, 0, 0, session.scalars(select(EPOCH)).one())


def page(
    session: Session,
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
    """Items newest first, those with a seq below `before`; `next_before` is where the next page begins."""
    filters = {"kind": kind, "topic": topic, "severity": severity, "actor": actor}
    asked = {name: value for name, value in filters.items() if value is not None}
    rows = session.execute(_page_of(recipient_id, state, asked, before, limit + 1)).all()
    next_before = rows[limit - 1].seq if len(rows) > limit else None
    return Page([render_item(row) for row in rows[:limit]], next_before, present(session, recipient_id))


def item(session: Session, recipient_id: str, seq: int) -> Rendered | None:
    row = session.execute(_items_of(recipient_id).where(inbox_items.c.seq == seq)).one_or_none()
    return render_item(row) if row else None


def changes(session: Session, recipient_id: str, since: int, limit: int) -> Changes:
    """What happened after version `since`, oldest first. Raises `ResyncRequired`."""
    row = session.execute(_standing_of(recipient_id)).one_or_none()
    at_present = Summary(*row[:4]) if row else present(session, recipient_id)
    kept_since = row.changes_since if row else 0
    if not kept_since <= since <= at_present.version:
        raise ResyncRequired
    if since == at_present.version:
        return Changes([], since, more=False, summary=at_present)
    size = exactly(limit + 1)
    arrived = _items_of(recipient_id).where(inbox_items.c.seq > since).order_by(inbox_items.c.seq).limit(size)
    changed = _changes_of(recipient_id).where(inbox_changes.c.version > since).limit(size)
    found = [render_added(render_item(row)) for row in session.execute(arrived)]
    found += [render_change(row) for row in session.execute(changed)]
    found.sort(key=lambda change: change["version"])
    more = len(found) > limit
    return Changes(found[:limit], found[limit - 1]["version"] if more else at_present.version, more, at_present)


def change_log(session: Session, recipient_id: str, versions: Sequence[int]) -> list[Change]:
    """These changes of state, each with the counts of its own version: what the other devices are told."""
    epoch = session.scalars(select(EPOCH)).one()
    key = tuple_(inbox_changes.c.recipient_id, inbox_changes.c.version)
    named = key.in_([(recipient_id, version) for version in versions])
    rows = session.execute(select(*inbox_changes.c).where(named).order_by(inbox_changes.c.version))
    return [Change(recipient_id, render_change(row), row.unread, row.unseen, epoch) for row in rows]


def _standing_of(recipient_id: str) -> Select[Any]:
    counts = (inboxes.c.unread, inboxes.c.unseen, inboxes.c.version, EPOCH.label("epoch"), inboxes.c.changes_since)
    return select(*counts).where(inboxes.c.recipient_id == recipient_id)


def _page_of(recipient_id: str, state: str | None, asked: dict[str, str], before: int | None, size: int) -> Select[Any]:
    """The newest `size` of a list: for each state that it shows, the end of one range of an index; and these merged."""
    wanted = [own(recipient_id), *(_fits(name, value) for name, value in asked.items())]
    if before is not None:
        wanted.append(inbox_items.c.seq < before)
    anything = state == "all" and not asked
    ranges = [true()] if anything else [inbox_items.c.state == one for one in LISTS[state]]
    newest = [_newest(select(*ITEM, NOTIFICATION_ID).where(*wanted, one), size) for one in ranges]
    page = newest[0] if len(newest) == 1 else _newest(union_all(*map(select, newest)), size)
    return _with_content(page).order_by(page.c.seq.desc())


def _newest(items: Select[Any] | CompoundSelect[Any], size: int) -> Subquery:
    return items.order_by(items.selected_columns.seq.desc()).limit(exactly(size)).subquery()


def _fits(name: str, value: str) -> Condition:
    fits = inbox_items.c[name] == value
    has_index = name == "severity" and value != "none"  # a partial one; of a parameter the planner cannot tell
    return fits & (inbox_items.c.severity != literal_column("'none'")) if has_index else fits


def _items_of(recipient_id: str) -> Select[Any]:
    return _with_content(inbox_items).where(own(recipient_id))


def _with_content(items: FromClause) -> Select[Any]:
    """Items with all that `render_item` shows of them."""
    of_item = (items.c[column.name] for column in ITEM)
    return select(*of_item, *CONTENT_OF).join_from(items, notifications, items.c.notification_id == notifications.c.id)


def _changes_of(recipient_id: str) -> Select[tuple[object, ...]]:
    return (
        select(*inbox_changes.c).where(inbox_changes.c.recipient_id == recipient_id).order_by(inbox_changes.c.version)
    )

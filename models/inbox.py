"""Reading one recipient's inbox. Every query demands its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select

from models.database import Session
from models.insert import insert_new
from models.numberline import EPOCH
from models.rendering import Change, Rendered, render_added, render_change, render_item
from models.tables import inbox_changes, inbox_items, inboxes, notifications

Condition = ColumnElement[bool]

UNREAD = inbox_items.c.read_at.is_(None)
UNSEEN = inbox_items.c.seen_at.is_(None)
ARCHIVED = inbox_items.c.archived_at.is_not(None)

LISTS: dict[str | None, tuple[Condition, ...]] = {
    None: (~ARCHIVED,),
    "unread": (UNREAD,),
    "read": (~UNREAD, ~ARCHIVED),
    "archived": (ARCHIVED,),
    "all": (),
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


def open_inbox(session: Session, recipient_id: str, now: datetime) -> None:
    """Make this recipient known from now on."""
    open_inboxes(session, [recipient_id], now)


def open_inboxes(session: Session, recipient_ids: Sequence[str], now: datetime) -> None:
    """Make recipients known, so that what is sent to everyone reaches them."""
    empty = {"version": 0, "unread": 0, "unseen": 0, "changes_since": 0, "opened_at": now}
    insert_new(session, inboxes, [{"recipient_id": one, **empty} for one in sorted(set(recipient_ids))])


def summary(session: Session, recipient_id: str) -> Summary | None:
    """None when this inbox was never opened."""
    counts = select(inboxes.c.unread, inboxes.c.unseen, inboxes.c.version, EPOCH)
    row = session.execute(counts.where(inboxes.c.recipient_id == recipient_id)).one_or_none()
    return Summary(*row) if row else None


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
    wanted = [notifications.c[name] == value for name, value in filters.items() if value is not None]
    if before is not None:
        wanted.append(inbox_items.c.seq < before)
    query = _items_of(recipient_id).where(*LISTS[state], *wanted)
    rows = session.execute(query.order_by(inbox_items.c.seq.desc()).limit(limit + 1)).all()
    next_before = rows[limit - 1].seq if len(rows) > limit else None
    return Page([render_item(row) for row in rows[:limit]], next_before, present(session, recipient_id))


def item(session: Session, recipient_id: str, seq: int) -> Rendered | None:
    row = session.execute(_items_of(recipient_id).where(inbox_items.c.seq == seq)).one_or_none()
    return render_item(row) if row else None


def changes(session: Session, recipient_id: str, since: int, limit: int) -> Changes:
    """What happened after version `since`, oldest first. Raises `ResyncRequired`."""
    at_present = present(session, recipient_id)
    kept_since = session.scalar(select(inboxes.c.changes_since).where(inboxes.c.recipient_id == recipient_id)) or 0
    if not kept_since <= since <= at_present.version:
        raise ResyncRequired
    arrived = _items_of(recipient_id).where(inbox_items.c.seq > since).order_by(inbox_items.c.seq).limit(limit + 1)
    changed = _changes_of(recipient_id).where(inbox_changes.c.version > since).limit(limit + 1)
    found = [render_added(render_item(row)) for row in session.execute(arrived)]
    found += [render_change(row) for row in session.execute(changed)]
    found.sort(key=lambda change: change["version"])
    more = len(found) > limit
    return Changes(found[:limit], found[limit - 1]["version"] if more else at_present.version, more, at_present)


def change_log(session: Session, recipient_id: str, versions: Sequence[int]) -> list[Change]:
    """These changes of state, each with the counts of its own version: what the other devices are told."""
    epoch = session.scalars(select(EPOCH)).one()
    rows = session.execute(_changes_of(recipient_id).where(inbox_changes.c.version.in_(versions)))
    return [Change(recipient_id, render_change(row), row.unread, row.unseen, epoch) for row in rows]


def _items_of(recipient_id: str) -> Select[tuple[object, ...]]:
    content = [column for column in notifications.c if column.name not in ("recipients", "producer_id")]
    return select(inbox_items, *content).join_from(inbox_items, notifications).where(own(recipient_id))


def _changes_of(recipient_id: str) -> Select[tuple[object, ...]]:
    return (
        select(*inbox_changes.c).where(inbox_changes.c.recipient_id == recipient_id).order_by(inbox_changes.c.version)
    )

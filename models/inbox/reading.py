"""Reading one recipient's inbox. Every query demands its owner."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, tuple_

from lib.rendering.rendered_json import Json, render
from models.db.database import Session, fetch
from models.db.insert import insert_unless_there
from models.inbox import statements
from models.inbox.rendering import Change, StateChange, render_added, render_change, render_item
from models.inbox.versions import EPOCH
from models.schema.inbox import inbox_changes, inbox_items, inboxes

Condition = ColumnElement[bool]

# Said by `state`, which the indices begin with. What is unseen is unread.
UNREAD = inbox_items.c.state == "unread"
UNSEEN = UNREAD & inbox_items.c.seen_at.is_(None)


class ResyncRequired(Exception):
    """Changes since that version are not kept, or it is not of this history: load the inbox anew."""


@dataclass(frozen=True)
class Summary:
    """The counts of an inbox at one version of one history."""

    unread: int
    unseen: int
    version: int
    epoch: UUID


class NeverOpened(Summary):
    """Of an inbox that there is not: nothing was delivered to it, and nobody has read it."""


@dataclass(frozen=True)
class Page:
    items: list[Json]
    next_before: int | None
    summary: Summary


@dataclass(frozen=True)
class Changes:
    """What takes a client from the version it named to `version`; `more` when that is not yet the present."""

    changes: list[Json]
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
    if recipient_ids:
        insert_unless_there(session, inboxes, [{"recipient_id": one, **empty} for one in sorted(set(recipient_ids))])


def present(session: Session, recipient_id: str) -> Summary:
    """The counts of this inbox at its present version."""
    rows = fetch(session, statements.STANDING, {"owner": recipient_id})
    return _summary(rows[0]) if rows else _never_opened(session)


def _never_opened(session: Session) -> Summary:
    [(epoch,)] = fetch(session, statements.HISTORY, {})
    return NeverOpened(0, 0, 0, epoch)


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
    names = tuple("no severity" if value == "none" and name == "severity" else name for name, value in asked.items())
    query = statements.page(state, names, before is not None, limit + 1)
    rows = fetch(session, query, {"owner": recipient_id, "before": before, **asked})
    found = [item for row in rows if (item := row[statements.BESIDE :])[0] is not None]
    next_before = found[limit - 1][0] if len(found) > limit else None
    summary = _summary(rows[0]) if rows else _never_opened(session)  # asked again, it might be open by now
    return Page([render_item(*item) for item in found[:limit]], next_before, summary)


def item(session: Session, recipient_id: str, seq: int) -> Json | None:
    rows = fetch(session, statements.ITEM, {"owner": recipient_id, "seq": seq})
    return render_item(*rows[0]) if rows else None


def changes(session: Session, recipient_id: str, since: int, limit: int) -> Changes:
    """What happened after version `since`, oldest first. Raises `ResyncRequired`."""
    rows = fetch(session, statements.changes(limit + 1), {"owner": recipient_id, "since": since})
    at_present = _summary(rows[0]) if rows else _never_opened(session)
    kept_since = rows[0][statements.KEPT_SINCE] if rows else 0
    if not kept_since <= since <= at_present.version:
        raise ResyncRequired
    found = [change for row in rows if (change := row[statements.BESIDE :])[0] is not None]
    more = len(found) > limit
    version = found[limit - 1][0] if more else at_present.version
    return Changes([_render_change(*change) for change in found[:limit]], version, more, at_present)


def _render_change(version: int, *shown: Any) -> Json:
    item, (change, *said) = shown[: statements.SHOWN], shown[statements.SHOWN :]
    if change is None:
        return render_added(version, render_item(*item))
    return render(render_change(StateChange(version, change, *said)))


def change_log(session: Session, recipient_id: str, versions: Sequence[int]) -> list[Change]:
    """These changes of state, each with the counts of its own version: what the other devices are told."""
    epoch = session.scalars(select(EPOCH)).one()
    key = tuple_(inbox_changes.c.recipient_id, inbox_changes.c.version)
    named = key.in_([(recipient_id, version) for version in versions])
    rows = session.execute(select(*inbox_changes.c).where(named).order_by(inbox_changes.c.version))
    return [Change(recipient_id, row.version, render_change(row), row.unread, row.unseen, epoch) for row in rows]


def _summary(standing: Sequence[Any]) -> Summary:
    return Summary(*standing[: statements.KEPT_SINCE])

"""Changing the state of one recipient's items. Each change takes the inbox's next version, under its row lock."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    tuple_,
    update,
)

from models.db.database import Connection, execute_prepared
from models.inbox.reading import UNREAD, UNSEEN, Condition, Summary, current_summary, open_inbox, own
from models.inbox.statements import OWN
from models.inbox.versions import advance_one, lock_inbox
from models.schema.base import UtcDateTime
from models.schema.inbox import inbox_changes, inbox_items

# The states of the items that each change applies to, and the times that it sets or clears. Read implies seen; archived
# implies read.
APPLIES_TO = {
    "seen": ("unread",),  # only the unseen ones
    "read": ("unread",),
    "unread": ("read", "archived"),
    "archived": ("unread", "read"),
    "unarchived": ("archived",),
}
SETS = {"seen": ("seen_at",), "read": ("seen_at", "read_at"), "archived": ("seen_at", "read_at", "archived_at")}
CLEARS = {"unread": ("read_at", "archived_at"), "unarchived": ("archived_at",)}


@dataclass(frozen=True)
class Selection:
    """Either items by their `seq`, or all up to `through`, of this kind and topic if one is given."""

    seqs: Sequence[int] | None = None
    through: int | None = None
    kind: str | None = None
    topic: str | None = None

    def params(self, recipient_id: str) -> dict[str, Any]:
        """The parameters of the statements that select them; a statement is built for one set of their names."""
        filters: dict[str, Any] = {"through": self.through, "of_kind": self.kind, "of_topic": self.topic}
        params = {name: value for name, value in filters.items() if value is not None}
        if self.seqs is not None:
            params |= {"one": self.seqs[0]} if len(self.seqs) == 1 else {"some": [(recipient_id, n) for n in self.seqs]}
        return {"owner": recipient_id, **params}


@dataclass(frozen=True)
class Affected:
    """The items that a change will change: which, how many, and how many of them are unread and unseen before it."""

    selection: Selection
    items: int
    unread: int
    unseen: int


@dataclass(frozen=True)
class Marked:
    """How many items a bulk change changed, and the version that it took; None if it changed none."""

    changed: int
    version: int | None
    summary: Summary


def set_state(
    conn: Connection,
    recipient_id: str,
    seq: int,
    *,
    now: datetime,
    read: bool | None = None,
    seen: bool | None = None,
    archived: bool | None = None,
) -> list[int] | None:
    """Bring one item to this state; an item that becomes unread leaves the archive.

    Returns the versions that this took: none if the item has that state already. None if there is no such item.
    """
    if not lock_inbox(conn, recipient_id) or not execute_prepared(conn, _EXISTS, {"owner": recipient_id, "one": seq}):
        return None
    changes = {
        "unarchived": archived is False,
        "unread": read is False,
        "seen": seen is True,
        "read": read is True,
        "archived": archived is True,
    }
    selection = Selection(seqs=[seq])
    taken = [_change(conn, recipient_id, name, selection, now)[0] for name, wanted in changes.items() if wanted]
    return [version for version in taken if version is not None]


def mark(conn: Connection, recipient_id: str, change: str, selection: Selection, *, now: datetime) -> Marked:
    """Mark items as "seen", "read" or "archived"; this takes one version, however many items it changes."""
    if not lock_inbox(conn, recipient_id):
        open_inbox(conn, recipient_id, now)
        lock_inbox(conn, recipient_id)  # another transaction may have created it, and delivered into it
    version, changed = _change(conn, recipient_id, change, selection, now)
    return Marked(changed, version, current_summary(conn, recipient_id))


def delete_item(conn: Connection, recipient_id: str, seq: int, *, now: datetime) -> int | None:
    """Delete one item; returns the version that this took, None if there is no such item."""
    if not lock_inbox(conn, recipient_id):
        return None
    one = own(recipient_id) & (inbox_items.c.seq == seq)
    removed = delete(inbox_items).where(one).returning(inbox_items.c.read_at, inbox_items.c.seen_at)
    row = conn.execute(removed).one_or_none()
    if row is None:
        return None
    fewer_unread, fewer_unseen = -int(row.read_at is None), -int(row.seen_at is None)
    return take_version(conn, recipient_id, "deleted", Selection(seqs=[seq]), now, fewer_unread, fewer_unseen)


def _change(
    conn: Connection, recipient_id: str, change: str, selection: Selection, now: datetime
) -> tuple[int | None, int]:
    """Apply a change to the selected items; returns the version that it took, if any, and how many items it changed."""
    params = selection.params(recipient_id)
    affected = _affected(conn, change, selection, params)
    if not affected.items:
        return None, 0
    more_unread = {"seen": 0, "unread": affected.items, "unarchived": 0}.get(change, -affected.unread)
    more_unseen = -affected.unseen if change in SETS else 0
    version = take_version(conn, recipient_id, change, affected.selection, now, more_unread, more_unseen)
    for statement in _updates(change, tuple(params)):
        execute_prepared(conn, statement, {**params, "at_version": version, "now": now})
    return version, affected.items


def _affected(conn: Connection, change: str, selection: Selection, params: dict[str, Any]) -> Affected:
    if selection.seqs is not None:
        items = [_NamedRow._make(row) for row in execute_prepared(conn, _named(change, tuple(params)), params)]
        unread, unseen = sum(item.unread for item in items), sum(item.unseen for item in items)
        return Affected(Selection(seqs=[item.seq for item in items]), len(items), unread, unseen)
    counts = [_CountsRow._make(execute_prepared(conn, count, params)[0]) for count in _counts(change, tuple(params))]
    newest = max((one.newest for one in counts if one.newest is not None), default=None)
    return Affected(
        Selection(through=newest, kind=selection.kind, topic=selection.topic),
        items=sum(one.items for one in counts),
        unread=sum(one.unread for one in counts),
        unseen=sum(one.unseen for one in counts),
    )


def take_version(
    conn: Connection,
    recipient_id: str,
    change: str,
    selection: Selection,
    now: datetime,
    more_unread: int,
    more_unseen: int,
) -> int:
    """Advance a locked inbox by one version, with its counts, and record the change."""
    version, unread, unseen = advance_one(conn, recipient_id, more_unread, more_unseen)
    counts = {"version": version, "unread": unread, "unseen": unseen}
    row = {"recipient_id": recipient_id, "change": change, "at": now, **asdict(selection), **counts}
    conn.execute(insert(inbox_changes).values(row))
    return version


# The statements, each built once for a change and the names of the parameters that `Selection.params` returns.


class _NamedRow(NamedTuple):
    seq: int
    unread: bool
    unseen: bool


class _CountsRow(NamedTuple):
    items: int
    unread: int
    unseen: int
    newest: int | None  # seq


_ONE = inbox_items.c.seq == bindparam("one")
_EXISTS = select(inbox_items.c.seq).where(OWN, _ONE)


@lru_cache
def _ranges(change: str, names: tuple[str, ...]) -> list[Condition]:
    """Conditions for the items that this change changes; each is one range of an index."""
    states: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in APPLIES_TO[change]]
    only = UNSEEN if change == "seen" else true()
    if "one" in names:
        return [and_(OWN, _ONE, inbox_items.c.state.in_(states), only)]
    if "some" in names:  # by whole keys: given the owner apart, PostgreSQL may read the whole inbox to find a few items
        key = tuple_(inbox_items.c.recipient_id, inbox_items.c.seq)
        return [and_(key.in_(bindparam("some", expanding=True)), inbox_items.c.state.in_(states), only)]
    filters = {"of_kind": inbox_items.c.kind, "of_topic": inbox_items.c.topic}
    narrowed = [column == bindparam(name) for name, column in filters.items() if name in names]
    up_to = and_(OWN, inbox_items.c.seq <= bindparam("through"), *narrowed)
    return [and_(up_to, inbox_items.c.state == state, only) for state in states]


@lru_cache
def _named(change: str, names: tuple[str, ...]) -> Select[Any]:
    [named] = _ranges(change, names)
    return select(inbox_items.c.seq, UNREAD, UNSEEN).where(named).order_by(inbox_items.c.seq)


@lru_cache
def _counts(change: str, names: tuple[str, ...]) -> list[Select[Any]]:
    count = select(func.count(), func.count().filter(UNREAD), func.count().filter(UNSEEN), func.max(inbox_items.c.seq))
    return [cast("Select[Any]", count.where(one)) for one in _ranges(change, names)]


@lru_cache
def _updates(change: str, names: tuple[str, ...]) -> list[Update]:
    now = bindparam("now", type_=UtcDateTime())
    times: dict[str, Any] = {name: func.coalesce(inbox_items.c[name], now) for name in SETS.get(change, ())}
    values = {**times, **dict.fromkeys(CLEARS.get(change, ())), "version": bindparam("at_version")}
    return [update(inbox_items).where(one).values(values) for one in _ranges(change, names)]

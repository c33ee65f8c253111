"""Changing the state of one recipient's items: each change takes the inbox's next version, under its row's lock."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, cast

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

from models.db.database import Session, fetch
from models.inbox.reading import UNREAD, UNSEEN, Condition, Summary, open_inbox, own, present
from models.inbox.statements import OWN
from models.inbox.versions import hold_one, move_one
from models.schema.base import UtcDateTime
from models.schema.inbox import inbox_changes, inbox_items

# The states whose items each change concerns, and what it does to them. Read implies seen; archived implies read.
CONCERNS = {
    "seen": ("unread",),  # of those only what is unseen
    "read": ("unread",),
    "unread": ("read", "archived"),
    "archived": ("unread", "read"),
    "unarchived": ("archived",),
}
SETS = {"seen": ("seen_at",), "read": ("seen_at", "read_at"), "archived": ("seen_at", "read_at", "archived_at")}
CLEARS = {"unread": ("read_at", "archived_at"), "unarchived": ("archived_at",)}


@dataclass(frozen=True)
class Which:
    """The items that a change is about: the named ones, or all up to `through`, narrowed by kind and topic."""

    seqs: Sequence[int] | None = None
    through: int | None = None
    kind: str | None = None
    topic: str | None = None

    def values(self, recipient_id: str) -> dict[str, Any]:
        """The parameters of the statements that find them, which are made for just these names."""
        found_by: dict[str, Any] = {"through": self.through, "of_kind": self.kind, "of_topic": self.topic}
        values = {name: value for name, value in found_by.items() if value is not None}
        if self.seqs is not None:
            values |= {"one": self.seqs[0]} if len(self.seqs) == 1 else {"some": [(recipient_id, n) for n in self.seqs]}
        return {"owner": recipient_id, **values}


@dataclass(frozen=True)
class Touched:
    """The items that a change will touch: which, how many, and how many of them are unread and unseen before."""

    which: Which
    items: int
    unread: int
    unseen: int


@dataclass(frozen=True)
class Marked:
    """How many items a bulk change touched, and the version it took (none when it touched none)."""

    changed: int
    version: int | None
    summary: Summary


def set_state(
    session: Session,
    recipient_id: str,
    seq: int,
    *,
    now: datetime,
    read: bool | None = None,
    seen: bool | None = None,
    archived: bool | None = None,
) -> list[int] | None:
    """Bring one item to this state; an item that is made unread leaves the archive.

    Answers the versions this took: none for what is so already. None means that there is no such item.
    """
    if not hold_one(session, recipient_id) or not fetch(session, _IS_THERE, {"owner": recipient_id, "one": seq}):
        return None
    asked = {
        "unarchived": archived is False,
        "unread": read is False,
        "seen": seen is True,
        "read": read is True,
        "archived": archived is True,
    }
    taken = [_change(session, recipient_id, name, Which(seqs=[seq]), now)[0] for name in asked if asked[name]]
    return [version for version in taken if version is not None]


def mark(session: Session, recipient_id: str, change: str, which: Which, *, now: datetime) -> Marked:
    """Mark many at once as "seen", "read" or "archived"; it is one change, whatever it touches."""
    if not hold_one(session, recipient_id):
        open_inbox(session, recipient_id, now)
        hold_one(session, recipient_id)  # another may have opened it first, and delivered into it
    version, changed = _change(session, recipient_id, change, which, now)
    return Marked(changed, version, present(session, recipient_id))


def delete_item(session: Session, recipient_id: str, seq: int, *, now: datetime) -> int | None:
    """Remove one item for good; answers the version this took. None: no such item."""
    if not hold_one(session, recipient_id):
        return None
    one = own(recipient_id) & (inbox_items.c.seq == seq)
    removed = delete(inbox_items).where(one).returning(inbox_items.c.read_at, inbox_items.c.seen_at)
    row = session.execute(removed).one_or_none()
    if row is None:
        return None
    fewer_unread, fewer_unseen = -int(row.read_at is None), -int(row.seen_at is None)
    return take_version(session, recipient_id, "deleted", Which(seqs=[seq]), now, fewer_unread, fewer_unseen)


def _change(session: Session, recipient_id: str, change: str, which: Which, now: datetime) -> tuple[int | None, int]:
    """Apply a change to the items it concerns. Answers the version it took, if any, and how many items it touched."""
    values = which.values(recipient_id)
    touched = _touched(session, change, which, values)
    if not touched.items:
        return None, 0
    more_unread = {"seen": 0, "unread": touched.items, "unarchived": 0}.get(change, -touched.unread)
    more_unseen = -touched.unseen if change in SETS else 0
    version = take_version(session, recipient_id, change, touched.which, now, more_unread, more_unseen)
    for marks in _marks(change, tuple(values)):
        fetch(session, marks, {**values, "at_version": version, "now": now})
    return version, touched.items


def _touched(session: Session, change: str, which: Which, values: dict[str, Any]) -> Touched:
    if which.seqs is not None:
        rows = fetch(session, _named(change, tuple(values)), values)
        return Touched(Which(seqs=[row[0] for row in rows]), len(rows), *(sum(row[n] for row in rows) for n in (1, 2)))
    rows = [fetch(session, tally, values)[0] for tally in _tallies(change, tuple(values))]
    items, unread, unseen = (sum(row[column] for row in rows) for column in range(3))
    newest = max((row[3] for row in rows if row[3] is not None), default=None)
    return Touched(Which(through=newest, kind=which.kind, topic=which.topic), items, unread, unseen)


def take_version(
    session: Session, recipient_id: str, change: str, which: Which, now: datetime, more_unread: int, more_unseen: int
) -> int:
    """Move an inbox that is held on by one version, its counts with it, and remember what changed."""
    version, unread, unseen = move_one(session, recipient_id, more_unread, more_unseen)
    counts = {"version": version, "unread": unread, "unseen": unseen}
    remembered = {"recipient_id": recipient_id, "change": change, "at": now, **asdict(which), **counts}
    session.execute(insert(inbox_changes).values(remembered))
    return version


# The statements, each made once: `names` are those of `Which.values`.

_ONE = inbox_items.c.seq == bindparam("one")
_IS_THERE = select(inbox_items.c.seq).where(OWN, _ONE)


@lru_cache
def _ranges(change: str, names: tuple[str, ...]) -> list[Condition]:
    """Conditions that together hold for the items that this change touches; each is a range of an index."""
    states: list[ColumnElement[str]] = [literal_column(f"'{state}'") for state in CONCERNS[change]]
    only = UNSEEN if change == "seen" else true()
    if "one" in names:
        return [and_(OWN, _ONE, inbox_items.c.state.in_(states), only)]
    if "some" in names:  # each by its key: with the owner apart, PostgreSQL may read the whole inbox to find a few
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
def _tallies(change: str, names: tuple[str, ...]) -> list[Select[Any]]:
    tally = select(func.count(), func.count().filter(UNREAD), func.count().filter(UNSEEN), func.max(inbox_items.c.seq))
    return [cast("Select[Any]", tally.where(one)) for one in _ranges(change, names)]


@lru_cache
def _marks(change: str, names: tuple[str, ...]) -> list[Update]:
    now = bindparam("now", type_=UtcDateTime())
    sets: dict[str, Any] = {name: func.coalesce(inbox_items.c[name], now) for name in SETS.get(change, ())}
    values = {**sets, **dict.fromkeys(CLEARS.get(change, ())), "version": bindparam("at_version")}
    return [update(inbox_items).where(one).values(values) for one in _ranges(change, names)]

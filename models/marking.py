"""Changing the state of one recipient's items: each change takes the inbox's next version, under its row's lock."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, insert, select, true, update

from models.database import Session
from models.inbox import UNREAD, UNSEEN, Condition, Summary, open_inbox, own, own_named, present
from models.numberline import Step, hold, move_on
from models.tables import inbox_changes, inbox_items

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

    def ranges(self, recipient_id: str, states: Sequence[str]) -> list[Condition]:
        """Conditions that together hold for these items in these states; each is a range of an index."""
        if self.seqs is not None:
            return [own_named(recipient_id, self.seqs) & inbox_items.c.state.in_(states)]
        filters = {"kind": self.kind, "topic": self.topic}
        narrowed = [inbox_items.c[name] == value for name, value in filters.items() if value is not None]
        up_to = own(recipient_id) & (inbox_items.c.seq <= self.through)
        return [and_(up_to, inbox_items.c.state == state, *narrowed) for state in states]


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
    if not hold(session, [recipient_id]) or not _holds(session, recipient_id, seq):
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
    if not hold(session, [recipient_id]):
        open_inbox(session, recipient_id, now)
        hold(session, [recipient_id])  # another may have opened it first, and delivered into it
    version, changed = _change(session, recipient_id, change, which, now)
    return Marked(changed, version, present(session, recipient_id))


def delete_item(session: Session, recipient_id: str, seq: int, *, now: datetime) -> int | None:
    """Remove one item for good; answers the version this took. None: no such item."""
    if not hold(session, [recipient_id]):
        return None
    one = own(recipient_id) & (inbox_items.c.seq == seq)
    removed = delete(inbox_items).where(one).returning(inbox_items.c.read_at, inbox_items.c.seen_at)
    row = session.execute(removed).one_or_none()
    if row is None:
        return None
    fewer_unread, fewer_unseen = -int(row.read_at is None), -int(row.seen_at is None)
    return take_version(session, recipient_id, "deleted", Which(seqs=[seq]), now, fewer_unread, fewer_unseen)


def _holds(session: Session, recipient_id: str, seq: int) -> bool:
    one = select(inbox_items.c.seq).where(own(recipient_id), inbox_items.c.seq == seq)
    return session.scalar(one) is not None


def _change(session: Session, recipient_id: str, change: str, which: Which, now: datetime) -> tuple[int | None, int]:
    """Apply a change to the items it concerns. Answers the version it took, if any, and how many items it touched."""
    only = UNSEEN if change == "seen" else true()
    concerned = [one & only for one in which.ranges(recipient_id, CONCERNS[change])]
    touched = _touched(session, which, concerned)
    if not touched.items:
        return None, 0
    more_unread = {"seen": 0, "unread": touched.items, "unarchived": 0}.get(change, -touched.unread)
    more_unseen = -touched.unseen if change in SETS else 0
    version = take_version(session, recipient_id, change, touched.which, now, more_unread, more_unseen)
    sets = {name: func.coalesce(inbox_items.c[name], now) for name in SETS.get(change, ())}
    clears = dict.fromkeys(CLEARS.get(change, ()))
    for one in concerned:
        session.execute(update(inbox_items).where(one).values(version=version, **sets, **clears))
    return version, touched.items


def _touched(session: Session, which: Which, concerned: Sequence[Condition]) -> Touched:
    if which.seqs is not None:
        found = select(inbox_items.c.seq, UNREAD.label("unread"), UNSEEN.label("unseen")).where(*concerned)
        rows = session.execute(found.order_by(inbox_items.c.seq)).all()
        named = Which(seqs=[row.seq for row in rows])
        return Touched(named, len(rows), sum(row.unread for row in rows), sum(row.unseen for row in rows))
    tally = select(func.count(), func.count().filter(UNREAD), func.count().filter(UNSEEN), func.max(inbox_items.c.seq))
    rows = [session.execute(tally.where(one)).one() for one in concerned]
    items, unread, unseen = (sum(row[column] for row in rows) for column in range(3))
    newest = max((row[3] for row in rows if row[3] is not None), default=None)
    return Touched(Which(through=newest, kind=which.kind, topic=which.topic), items, unread, unseen)


def take_version(
    session: Session, recipient_id: str, change: str, which: Which, now: datetime, more_unread: int, more_unseen: int
) -> int:
    """Move an inbox that is held on by one version, its counts with it, and remember what changed."""
    after = move_on(session, {recipient_id: Step(1, more_unread, more_unseen)}, now)[recipient_id]
    counts = {"version": after.version, "unread": after.unread, "unseen": after.unseen}
    remembered = {"recipient_id": recipient_id, "change": change, "at": now, **asdict(which), **counts}
    session.execute(insert(inbox_changes).values(remembered))
    return int(after.version)

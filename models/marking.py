"""Changing the state of one recipient's items: each change takes the inbox's next version, under its row's lock."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import and_, delete, func, insert, select, update

from models.database import Session
from models.inbox import ARCHIVED, UNREAD, UNSEEN, Condition, Summary, open_inbox, own, present
from models.numberline import Step, hold, move_on
from models.tables import inbox_changes, inbox_items

# Which items each change concerns, and what it does to them. Read implies seen; archived implies read.
CONCERNS: dict[str, Condition] = {
    "seen": UNSEEN,
    "read": UNREAD,
    "unread": ~UNREAD,
    "archived": ~ARCHIVED,
    "unarchived": ARCHIVED,
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

    def condition(self) -> Condition:
        named = inbox_items.c.seq.in_(self.seqs) if self.seqs is not None else inbox_items.c.seq <= self.through
        filters = {"kind": self.kind, "topic": self.topic}
        return and_(named, *(inbox_items.c[name] == value for name, value in filters.items() if value is not None))


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
    concerned = own(recipient_id) & which.condition() & CONCERNS[change]
    tally = select(func.count(), func.count().filter(UNREAD), func.count().filter(UNSEEN), func.max(inbox_items.c.seq))
    touched, unread, unseen, newest = session.execute(tally.where(concerned)).one()
    if not touched:
        return None, 0
    if which.seqs is not None:
        which = Which(
            seqs=list(session.scalars(select(inbox_items.c.seq).where(concerned).order_by(inbox_items.c.seq)))
        )
    else:
        which = Which(through=newest, kind=which.kind, topic=which.topic)
    more_unread = {"seen": 0, "unread": touched, "unarchived": 0}.get(change, -unread)
    more_unseen = -unseen if change in SETS else 0
    version = take_version(session, recipient_id, change, which, now, more_unread, more_unseen)
    sets = {name: func.coalesce(inbox_items.c[name], now) for name in SETS.get(change, ())}
    clears = dict.fromkeys(CLEARS.get(change, ()))
    session.execute(update(inbox_items).where(concerned).values(version=version, **sets, **clears))
    return version, int(touched)


def take_version(
    session: Session, recipient_id: str, change: str, which: Which, now: datetime, more_unread: int, more_unseen: int
) -> int:
    """Move an inbox that is held on by one version, its counts with it, and remember what changed."""
    after = move_on(session, {recipient_id: Step(1, more_unread, more_unseen)}, now)[recipient_id]
    counts = {"version": after.version, "unread": after.unread, "unseen": after.unseen}
    remembered = {"recipient_id": recipient_id, "change": change, "at": now, **asdict(which), **counts}
    session.execute(insert(inbox_changes).values(remembered))
    return int(after.version)

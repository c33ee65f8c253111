"""Compare the counts of all inboxes with their items, and repair them.

Inboxes are read in batches, without a lock. An inbox that seems wrong is locked and read again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, func, select

from models.db.database import Database
from models.inbox.marking import Selection, take_version
from models.inbox.reading import UNREAD, UNSEEN
from models.inbox.versions import lock_inbox
from models.schema.inbox import inbox_items, inboxes

BATCH = 1_000  # inboxes in one query
NOTHING = Selection(seqs=[])  # a change of no items makes every device take the new counts


@dataclass(frozen=True)
class Miscount:
    """An inbox whose counts differ from its items."""

    recipient_id: str
    unread: int
    unseen: int
    unread_items: int
    unseen_items: int

    def __str__(self) -> str:
        unread = f"unread {self.unread}, but {self.unread_items} items are"
        return f"{self.recipient_id!r}: {unread}; unseen {self.unseen}, but {self.unseen_items} items are"


def recount(database: Database, *, repair: bool) -> Iterator[tuple[int, list[Miscount]]]:
    """Compare all inboxes; yields for each batch how many were compared so far, and the miscounts found in it."""
    compared, last = 0, ""
    while True:
        with database.snapshot() as conn:
            rows = conn.execute(_counted().where(inboxes.c.recipient_id > last).limit(BATCH)).all()
        if not rows:
            return
        compared, last = compared + len(rows), rows[-1].recipient_id
        suspects = [row.recipient_id for row in rows if _wrong(Miscount(*row))]
        yield compared, [found for one in suspects if (found := _compare_locked(database, one, repair=repair))]


def _compare_locked(database: Database, recipient_id: str, *, repair: bool) -> Miscount | None:
    """Compare one inbox under its row lock, where it cannot change meanwhile.

    The repair takes a version: a device at the current version has the wrong counts.
    """
    with database.transaction() as conn:
        lock_inbox(conn, recipient_id)
        found = Miscount(*conn.execute(_counted().where(inboxes.c.recipient_id == recipient_id)).one())
        if not _wrong(found):
            return None
        if repair:
            more_unread, more_unseen = found.unread_items - found.unread, found.unseen_items - found.unseen
            take_version(conn, recipient_id, "seen", NOTHING, datetime.now(UTC), more_unread, more_unseen)
    return found


def _counted() -> Select[Any]:
    own = inbox_items.c.recipient_id == inboxes.c.recipient_id
    items = select(func.count()).select_from(inbox_items)
    return select(
        inboxes.c.recipient_id,
        inboxes.c.unread,
        inboxes.c.unseen,
        items.where(own, UNREAD).scalar_subquery(),
        items.where(own, UNSEEN).scalar_subquery(),
    ).order_by(inboxes.c.recipient_id)


def _wrong(found: Miscount) -> bool:
    return (found.unread, found.unseen) != (found.unread_items, found.unseen_items)

"""Items arrive in inboxes: each takes the next version of its inbox, under that inbox's lock."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload
from uuid import UUID

from sqlalchemy import Row

from models.db.database import Session
from models.inbox.rendering import Change, render_arrival
from models.inbox.versions import Delta, advance
from models.schema.inbox import inbox_items

FILTERS = ("kind", "topic", "severity", "actor")  # copied to each item, so that an inbox is filtered by index


@dataclass(frozen=True)
class Arrivals(Sequence[Change]):
    """Items that arrived, in order: column by column, since an object for each costs more than all the rest."""

    contents: list[str]  # of the notifications, as JSON
    places: list[int]  # whose of them each item shows
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
        said = render_arrival(self.contents[self.places[at]])
        return Change(self.recipients[at], self.versions[at], said, self.unread[at], self.unseen[at], self.epoch)


def write_items(session: Session, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> Sequence[Change]:
    """Give each (notification, recipient), in this order, the recipient's next version, and write the item.

    For any database; PostgreSQL does so at once: see `models.delivery.postgres`.
    """
    if not pairs:
        return []
    later = Counter(recipient for _, recipient in pairs)
    after = advance(session, {recipient: Delta(n, n, n) for recipient, n in later.items()}, now)
    contents = {row.id: row.content for row, _ in pairs}
    places = {id_: place for place, id_ in enumerate(contents)}
    arrivals = Arrivals(list(contents.values()), [], [], [], [], [], next(iter(after.values())).epoch)
    items = []
    for row, recipient in pairs:
        later[recipient] -= 1
        left, inbox = later[recipient], after[recipient]
        seq = inbox.version - left
        arrivals.add(places[row.id], recipient, seq, inbox.unread - left, inbox.unseen - left)
        filters = {name: getattr(row, name) for name in FILTERS}
        items.append({"recipient_id": recipient, "seq": seq, "version": seq, "notification_id": row.id, **filters})
    session.execute(inbox_items.insert(), items)
    return arrivals

"""The rows that the statements which read an inbox return: their fields are the columns, by name and in this order."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class SummaryRow(NamedTuple):
    """The counts and version of an inbox, the epoch, and the version up to which its changes are deleted."""

    unread: int
    unseen: int
    inbox_version: int
    epoch: UUID
    changes_since: int


class ItemRow(NamedTuple):
    """An item: the content of its notification, and the times of its state as the database's texts."""

    seq: int
    version: int
    content: str
    seen_at: str | None
    read_at: str | None
    archived_at: str | None


class PageRow(NamedTuple):
    """The summary of an inbox and one of its items; the item's fields are None in the one row of an empty page."""

    unread: int
    unseen: int
    inbox_version: int
    epoch: UUID
    changes_since: int
    seq: int
    version: int
    content: str
    seen_at: str | None
    read_at: str | None
    archived_at: str | None


class ChangesRow(NamedTuple):
    """The summary of an inbox and one of its changes; `at_version` is None in the one row without a change.

    The change is an item that arrived, or, if `change` is not None, a change of state.
    """

    unread: int
    unseen: int
    inbox_version: int
    epoch: UUID
    changes_since: int
    at_version: int
    seq: int
    version: int
    content: str
    seen_at: str | None
    read_at: str | None
    archived_at: str | None
    change: str | None
    seqs: list[int] | None
    through: int | None
    kind: str | None
    topic: str | None
    at: datetime

"""The statements that read an inbox. Each is made once: making one takes longer than carrying it out.

Their parameters: `owner`, and by need `before`, `since`, `seq`, and the values of the filters by their names.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    Select,
    Subquery,
    bindparam,
    literal_column,
    select,
    true,
    union_all,
)

from models.numberline import EPOCH
from models.paging import exactly
from models.rendering import CONTENT, STATE_TIMES
from models.tables import inbox_changes, inbox_items, inboxes, notifications

LISTS: dict[str | None, tuple[str, ...]] = {
    None: ("unread", "read"),
    "unread": ("unread",),
    "read": ("read",),
    "archived": ("archived",),
    "all": ("unread", "read", "archived"),
}

NONE: ColumnElement[str] = literal_column("'none'")
FILTERS = {
    "kind": inbox_items.c.kind == bindparam("kind"),
    "topic": inbox_items.c.topic == bindparam("topic"),
    "actor": inbox_items.c.actor == bindparam("actor"),
    # The index has none of the others; of a parameter the planner cannot tell.
    "severity": (inbox_items.c.severity == bindparam("severity")) & (inbox_items.c.severity != NONE),
    "no severity": inbox_items.c.severity == NONE,
}

KEPT = 256  # of each kind of statement: how many sizes and combinations of filters are in use side by side

# What `render_item` shows of an item, and of its notification.
_ITEM = tuple(inbox_items.c[name] for name in ("seq", "version", *STATE_TIMES))
_CONTENT = tuple(notifications.c[name] for name in ("id", *CONTENT, "created_at", "expires_at"))

_OWN = inbox_items.c.recipient_id == bindparam("owner")
_STANDING = (
    inboxes.c.unread,
    inboxes.c.unseen,
    inboxes.c.version.label("inbox_version"),
    EPOCH.label("epoch"),
    inboxes.c.changes_since,
)


def _with_content(items: FromClause) -> Select[Any]:
    of_item = (items.c[column.name] for column in _ITEM)
    return select(*of_item, *_CONTENT).join_from(items, notifications, items.c.notification_id == notifications.c.id)


# The inbox's counts, version, epoch, and since when its changes are kept.
STANDING: Select[Any] = select(*_STANDING).where(inboxes.c.recipient_id == bindparam("owner"))

ITEM: Select[Any] = _with_content(inbox_items).where(_OWN, inbox_items.c.seq == bindparam("seq"))


@lru_cache(KEPT)
def page(state: str | None, filters: Sequence[str], deep: bool, size: int) -> Select[Any]:
    """The newest `size` items of a list, each row with the inbox's standing; one row without an item if there is none.

    For each state that the list shows it reads the end of one range of an index, and it merges these.
    """
    wanted = [_OWN, *(FILTERS[name] for name in filters)]
    if deep:
        wanted.append(inbox_items.c.seq < bindparam("before"))
    anything = state == "all" and not filters
    ranges = [true()] if anything else [inbox_items.c.state == literal_column(f"'{one}'") for one in LISTS[state]]
    ends = [_newest(select(*_ITEM, inbox_items.c.notification_id).where(*wanted, one), size) for one in ranges]
    items = ends[0] if len(ends) == 1 else _newest(union_all(*map(select, ends)), size)
    shown = _with_content(items).subquery()
    beside = inboxes.outerjoin(shown, true())
    return STANDING.add_columns(*shown.c).select_from(beside).order_by(shown.c.seq.desc())


@lru_cache(KEPT)
def arrived(size: int) -> Select[Any]:
    """The oldest `size` items that came after version `since`."""
    later = _with_content(inbox_items).where(_OWN, inbox_items.c.seq > bindparam("since"))
    return later.order_by(inbox_items.c.seq).limit(exactly(size))


@lru_cache(KEPT)
def changed(size: int) -> Select[Any]:
    """The oldest `size` changes of state after version `since`."""
    of_owner = inbox_changes.c.recipient_id == bindparam("owner")
    later = select(*inbox_changes.c).where(of_owner, inbox_changes.c.version > bindparam("since"))
    return later.order_by(inbox_changes.c.version).limit(exactly(size))


def _newest(items: Select[Any] | CompoundSelect[Any], size: int) -> Subquery:
    return items.order_by(items.selected_columns.seq.desc()).limit(exactly(size)).subquery()

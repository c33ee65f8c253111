"""The statements that read an inbox. Each is made once: making one takes longer than carrying it out.

`models.db.database.fetch` carries them out. Their parameters: `owner`, and by need `before`, `since`, `seq`, and the
values of the filters by their names.
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
    Text,
    bindparam,
    cast,
    literal_column,
    null,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.types import TypeEngine

from models.db.literals import inline_literal
from models.inbox.rendering import STATE_TIMES
from models.inbox.versions import EPOCH
from models.schema.inbox import inbox_changes, inbox_items, inboxes
from models.schema.notifications import notifications

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

_CHANGE = tuple(
    inbox_changes.c[name] for name in ("version", "change", "seqs", "through", "kind", "topic", "at")
)  # what `render_change` shows

OWN = inbox_items.c.recipient_id == bindparam("owner")
_STANDING = (
    inboxes.c.unread,
    inboxes.c.unseen,
    inboxes.c.version.label("inbox_version"),
    EPOCH.label("epoch"),
    inboxes.c.changes_since,
)


def _shown(items: FromClause) -> Sequence[ColumnElement[Any]]:
    """What `render_item` takes, in its order; the times as texts: a datetime for each is a fifth of a page."""
    times = (cast(items.c[name], Text).label(name) for name in STATE_TIMES)
    return (items.c.seq, items.c.version, notifications.c.content, *times)


_SHOWN = _shown(inbox_items)

BESIDE = len(_STANDING)  # where, in a row, the items and changes beside it begin
KEPT_SINCE = BESIDE - 1  # where `changes_since` is; before it, what a summary takes
SHOWN = len(_SHOWN)


def _with_content(items: FromClause) -> Select[Any]:
    joined = items.c.notification_id == notifications.c.id
    return select(*_shown(items)).join_from(items, notifications, joined)


# The inbox's counts, version, epoch, and since when its changes are kept.
STANDING: Select[Any] = select(*_STANDING).where(inboxes.c.recipient_id == bindparam("owner"))

# The epoch alone.
HISTORY: Select[Any] = select(EPOCH)

ITEM: Select[Any] = _with_content(inbox_items).where(OWN, inbox_items.c.seq == bindparam("seq"))


@lru_cache(KEPT)
def page(state: str | None, filters: Sequence[str], deep: bool, size: int) -> Select[Any]:
    """The newest `size` items of a list, each row with the inbox's standing; one row without an item if there is none.

    For each state that the list shows it reads the end of one range of an index, and it merges these.
    """
    wanted = [OWN, *(FILTERS[name] for name in filters)]
    if deep:
        wanted.append(inbox_items.c.seq < bindparam("before"))
    anything = state == "all" and not filters
    ranges = [true()] if anything else [inbox_items.c.state == literal_column(f"'{one}'") for one in LISTS[state]]
    columns = [inbox_items.c[name] for name in ("seq", "version", *STATE_TIMES, "notification_id")]
    ends = [_newest(select(*columns).where(*wanted, one), size) for one in ranges]
    items = ends[0] if len(ends) == 1 else _newest(union_all(*map(select, ends)), size)
    shown = _with_content(items).subquery()
    return _beside_standing(shown).order_by(shown.c.seq.desc())


@lru_cache(KEPT)
def changes(size: int) -> Select[Any]:
    """The oldest `size` changes after version `since`, each row with the inbox's standing; one row without if none.

    `at_version` is the row's version: of an item that arrived, or, where `change` is not null, of a change of state.
    """
    arrived = _with_content(inbox_items).where(OWN, inbox_items.c.seq > bindparam("since"))
    items = arrived.order_by(inbox_items.c.seq).limit(inline_literal(size)).subquery()
    of_owner = inbox_changes.c.recipient_id == bindparam("owner")
    changed = select(*_CHANGE).where(of_owner, inbox_changes.c.version > bindparam("since"))
    states = changed.order_by(inbox_changes.c.version).limit(inline_literal(size)).subquery()
    columns = {column.name: column.type for column in (*_SHOWN, *_CHANGE)}
    both = union_all(
        select(items.c.seq.label("at_version"), *_padded(items, columns)),
        select(states.c.version.label("at_version"), *_padded(states, columns)),
    ).subquery()
    oldest = select(both).order_by(both.c.at_version).limit(inline_literal(size)).subquery()
    return _beside_standing(oldest).order_by(oldest.c.at_version)


def _beside_standing(rows: Subquery) -> Select[Any]:
    return STANDING.add_columns(*rows.c).select_from(inboxes.outerjoin(rows, true()))


def _padded(rows: Subquery, columns: dict[str, TypeEngine[Any]]) -> list[ColumnElement[Any]]:
    """All these columns by their names, with null for those that the rows have not."""
    return [
        rows.c[name] if name in rows.c else type_coerce(null(), type_).label(name) for name, type_ in columns.items()
    ]


def _newest(items: Select[Any] | CompoundSelect[Any], size: int) -> Subquery:
    return items.order_by(items.selected_columns.seq.desc()).limit(inline_literal(size)).subquery()

"""The statements that read an inbox. Each is built once: to build one takes longer than to execute it.

`models.db.database.execute_prepared` executes them. Their parameters: `owner`; some also `before`, `since`, `seq`,
and the values of the filters by their names. A statement selects the fields of a class in `models.inbox.rows`, in
their order.
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
from models.inbox.rows import ChangesRow, ItemRow, PageRow
from models.inbox.versions import EPOCH
from models.schema.inbox import inbox_changes, inbox_items, inboxes
from models.schema.notifications import notifications

CACHE_SIZE = 256  # for each kind of statement: combinations of page sizes and filters

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
    # The second condition is that of the partial index: the planner does not know the value of a parameter.
    "severity": (inbox_items.c.severity == bindparam("severity")) & (inbox_items.c.severity != NONE),
    "no severity": inbox_items.c.severity == NONE,
}


OWN = inbox_items.c.recipient_id == bindparam("owner")
_SUMMARY = (  # the fields of `SummaryRow`
    inboxes.c.unread,
    inboxes.c.unseen,
    inboxes.c.version.label("inbox_version"),
    EPOCH.label("epoch"),
    inboxes.c.changes_since,
)
_CHANGE = tuple(inbox_changes.c[name] for name in ("version", "change", "seqs", "through", "kind", "topic", "at"))


def _item_columns(items: FromClause) -> Sequence[ColumnElement[Any]]:
    """The fields of `ItemRow`; the times as texts: to make a datetime of each takes a fifth of a page's time."""
    times = {name: cast(items.c[name], Text).label(name) for name in STATE_TIMES}
    columns = {**items.c, "content": notifications.c.content, **times}
    return [columns[name] for name in ItemRow._fields]


def _with_content(items: FromClause) -> Select[Any]:
    joined = items.c.notification_id == notifications.c.id
    return select(*_item_columns(items)).join_from(items, notifications, joined)


# A `SummaryRow`; none if the inbox does not exist.
SUMMARY: Select[Any] = select(*_SUMMARY).where(inboxes.c.recipient_id == bindparam("owner"))

EPOCH_ALONE: Select[Any] = select(EPOCH)

# An `ItemRow`.
ITEM: Select[Any] = _with_content(inbox_items).where(OWN, inbox_items.c.seq == bindparam("seq"))


@lru_cache(CACHE_SIZE)
def page(state: str | None, filters: Sequence[str], deep: bool, size: int) -> Select[Any]:
    """The newest `size` items of a list, each as a `PageRow`.

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
    return _with_summary(PageRow._fields, shown).order_by(shown.c.seq.desc())


@lru_cache(CACHE_SIZE)
def changes(size: int) -> Select[Any]:
    """The oldest `size` changes after version `since`, each as a `ChangesRow`."""
    arrived = _with_content(inbox_items).where(OWN, inbox_items.c.seq > bindparam("since"))
    items = arrived.order_by(inbox_items.c.seq).limit(inline_literal(size)).subquery()
    of_owner = inbox_changes.c.recipient_id == bindparam("owner")
    changed = select(*_CHANGE).where(of_owner, inbox_changes.c.version > bindparam("since"))
    states = changed.order_by(inbox_changes.c.version).limit(inline_literal(size)).subquery()
    columns = {column.name: column.type for column in (*_item_columns(inbox_items), *_CHANGE)}
    both = union_all(
        select(items.c.seq.label("at_version"), *_padded(items, columns)),
        select(states.c.version.label("at_version"), *_padded(states, columns)),
    ).subquery()
    oldest = select(both).order_by(both.c.at_version).limit(inline_literal(size)).subquery()
    return _with_summary(ChangesRow._fields, oldest).order_by(oldest.c.at_version)


def _with_summary(names: Sequence[str], rows: Subquery) -> Select[Any]:
    """The fields of these names, of the rows and the summary beside each; one row with the summary if there is none."""
    columns = {column.name: column for column in (*_SUMMARY, *rows.c)}
    beside = inboxes.outerjoin(rows, true())
    return (
        select(*(columns[name] for name in names))
        .select_from(beside)
        .where(inboxes.c.recipient_id == bindparam("owner"))
    )


def _padded(rows: Subquery, columns: dict[str, TypeEngine[Any]]) -> list[ColumnElement[Any]]:
    """All these columns by their names, with null for those that the rows do not have."""
    return [
        rows.c[name] if name in rows.c else type_coerce(null(), type_).label(name) for name, type_ in columns.items()
    ]


def _newest(items: Select[Any] | CompoundSelect[Any], size: int) -> Subquery:
    return items.order_by(items.selected_columns.seq.desc()).limit(inline_literal(size)).subquery()

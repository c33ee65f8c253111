"""The inbox of each recipient: its version and counts, its items, and the changes of their state."""

from sqlalchemy import BigInteger, Column, Computed, ForeignKey, Index, Integer, String, Table, UniqueConstraint, Uuid

from models.limits import KIND_MAX
from models.schema.base import Id, Json, Topic, UtcDateTime, metadata, partial_index

# One row. A client that holds versions of another epoch loads its inbox anew: a restore from a backup takes versions a
# second time, so it must be followed by a new epoch.
epoch = Table("epoch", metadata, Column("epoch", Uuid, primary_key=True))

# One row a recipient: the version of the inbox, and the counts at that version.
inboxes = Table(
    "inboxes",
    metadata,
    Column("recipient_id", Id, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
    Column("changes_since", BigInteger, nullable=False),  # changes up to this version are deleted
    Column("opened_at", UtcDateTime, nullable=False),
    # Every delivery updates a row of this table. If the new row version fits on the same page, no index changes (HOT).
    postgresql_with={"fillfactor": 50},
)

# A recipient's copy of a notification: its state, and the fields that inboxes are filtered by. `seq` is the version at
# which it arrived. There are no foreign keys: to look up both rows for each item is a third of the cost of writing it.
# A transaction that writes an item holds a lock on its inbox, which is never deleted, and on its notification, which
# is deleted only when no inbox holds it.
STATE = "CASE WHEN archived_at IS NOT NULL THEN 'archived' WHEN read_at IS NOT NULL THEN 'read' ELSE 'unread' END"
inbox_items = Table(
    "inbox_items",
    metadata,
    Column("recipient_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),  # of its last change
    Column("notification_id", Uuid, nullable=False),
    Column("seen_at", UtcDateTime),
    Column("read_at", UtcDateTime),
    Column("archived_at", UtcDateTime),
    Column("state", String(8), Computed(STATE, persisted=True), nullable=False),
    Column("kind", String(KIND_MAX), nullable=False),
    Column("topic", Topic),
    Column("severity", String(6), nullable=False),
    Column("actor", Id),
    UniqueConstraint("notification_id", "recipient_id"),
)
_items = inbox_items.c
# Every list is a merge of index scans in the order of `seq`, one for each state that it shows: see
# `models.inbox.statements.page`.
Index("ix_inbox_items_state", _items.recipient_id, _items.state, _items.seq)
Index("ix_inbox_items_kind", _items.recipient_id, _items.kind, _items.state, _items.seq)
for _column, _where in (
    (_items.topic, _items.topic.is_not(None)),
    (_items.actor, _items.actor.is_not(None)),
    (_items.severity, _items.severity != "none"),  # most items have none: a list of those filters another index's scan
):
    partial_index(
        f"ix_inbox_items_{_column.name}", _items.recipient_id, _column, _items.state, _items.seq, where=_where
    )

# Every change of state, one row each, a bulk change too. An arrival needs no row: an item's `seq` is its version.
inbox_changes = Table(
    "inbox_changes",
    metadata,
    Column("recipient_id", Id, ForeignKey("inboxes.recipient_id"), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("change", String(12), nullable=False),
    # Either the items by their `seq`; or all up to `through`, of this kind and topic if one is given.
    Column("seqs", Json),
    Column("through", BigInteger),
    Column("kind", String(KIND_MAX)),
    Column("topic", Topic),
    Column("at", UtcDateTime, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
)
Index("ix_inbox_changes_at", inbox_changes.c.at)

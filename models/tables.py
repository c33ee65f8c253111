"""The declared schema. `migrations/` makes exactly this on PostgreSQL and on SQLite; a test compares the two."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Computed,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy.types import TypeDecorator

from models.db.literals import exactly
from models.limits import COUNTED_AT_ONCE, ERROR_MAX, ID_MAX, IDEMPOTENCY_KEY_MAX, KIND_MAX, STORED_TOPIC_MAX

# Ids are compared by code point on every database, as Python does: keyset paging and the order of locks depend on it.
Id = String(ID_MAX).with_variant(String(ID_MAX, collation="C"), "postgresql")
# SQLite knows no lengths: its columns need not be made anew to hold longer topics.
Topic = String(STORED_TOPIC_MAX).with_variant(String(STORED_TOPIC_MAX, collation="C"), "postgresql")
Topic = Topic.with_variant(String(ID_MAX), "sqlite")
Json = JSON(none_as_null=True)


class Moment(TypeDecorator[datetime]):
    """A UTC time, aware in Python on every database; SQLite keeps no zone of its own."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """None is wanted of PostgreSQL's, whose connections speak UTC: asking for each value costs a page a tenth."""
        return super().result_processor(dialect, coltype) if dialect.name == "sqlite" else None


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# One row: the id of this history of versions. A restore from a backup must give it a new one.
history = Table("history", metadata, Column("epoch", Uuid, primary_key=True))

# What was published, once, whoever receives it.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("producer_id", Id, nullable=False),
    # What all recipients are shown of it, as JSON: rendered once, when it is accepted; see `models.inbox.rendering`.
    Column("content", Text, nullable=False),
    # Of that, what is asked for by itself.
    Column("kind", String(KIND_MAX), nullable=False),
    Column("actor", Id),
    Column("severity", String(6), nullable=False),
    # Exactly one of the three says who gets it.
    Column("recipients", Json),
    Column("topic", Topic),
    Column("everyone", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("batch", Uuid),  # the first id of the batch it was posted in: see `models.delivery.batch_order`
    Column("deliver_at", Moment),
    Column("expires_at", Moment),
    Column("delivered_at", Moment),
    Column("recipient_count", Integer, nullable=False),  # inbox items written so far
    Column("seen", Integer, nullable=False, server_default="0"),  # of those who had it at `counted_at`
    Column("read", Integer, nullable=False, server_default="0"),
    Column("counted_at", Moment),
    Column("cancelled_at", Moment),  # by its producer: not delivered, or recalled from where it was
    Column("retired_at", Moment),  # made to expire, because it is older than such are kept
    Column("withdrawn_at", Moment),  # recalled or expired, and gone from every inbox
    Column("enqueue_at", Moment),  # when the relay enqueues its next step (again); NULL when nothing is left to do
    Column("enqueued", Integer, nullable=False),  # how often the relay did
    Column("attempts", Integer, nullable=False, server_default="0"),  # at this step, that did not end well
    Column("parked_at", Moment),  # given up until a person says otherwise
    Column("last_error", String(ERROR_MAX)),  # why the last attempt that failed did
    Column("idempotency_key", String(IDEMPOTENCY_KEY_MAX)),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the content, to tell a retry from a reused key
    UniqueConstraint("producer_id", "idempotency_key"),
)


def _partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> Index:
    return Index(name, *columns, postgresql_where=where, sqlite_where=where)


_partial_index(
    "ix_notifications_undelivered",
    notifications.c.created_at,
    where=notifications.c.delivered_at.is_(None) & notifications.c.cancelled_at.is_(None),
)
_partial_index(
    "ix_notifications_batch", notifications.c.batch, notifications.c.id, where=notifications.c.batch.is_not(None)
)
_partial_index("ix_notifications_due", notifications.c.enqueue_at, where=notifications.c.enqueue_at.is_not(None))
_partial_index(
    "ix_notifications_parked",
    notifications.c.parked_at,
    notifications.c.id,
    where=notifications.c.parked_at.is_not(None),
)
Index("ix_notifications_producer_id_id", notifications.c.producer_id, notifications.c.id)
_partial_index(
    "ix_notifications_kept",
    notifications.c.created_at,
    where=notifications.c.withdrawn_at.is_(None) & notifications.c.retired_at.is_(None),
)
# Those that many have: see `models.notifications.receipts`.
LARGE = notifications.c.recipient_count > exactly(COUNTED_AT_ONCE)
_partial_index(
    "ix_notifications_large", notifications.c.created_at, where=notifications.c.withdrawn_at.is_(None) & LARGE
)
_partial_index(
    "ix_notifications_withdrawn", notifications.c.created_at, where=notifications.c.withdrawn_at.is_not(None)
)

# One row per recipient: the number line of its inbox, and the counts that belong to its present version.
inboxes = Table(
    "inboxes",
    metadata,
    Column("recipient_id", Id, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
    Column("changes_since", BigInteger, nullable=False),  # changes up to here are forgotten
    Column("opened_at", Moment, nullable=False),
    # Every arrival changes a row of these. Where its next state has room on the same page, no index needs to know.
    postgresql_with={"fillfactor": 50},
)

# One recipient's copy of a notification: its state, and what inboxes are filtered by. `seq` is the version at which it
# arrived. Who writes one holds its inbox, which is never deleted, and its notification, which is deleted only when
# nobody has it: to look both up once more for each, as foreign keys would, is a third of what writing it costs.
STATE = "CASE WHEN archived_at IS NOT NULL THEN 'archived' WHEN read_at IS NOT NULL THEN 'read' ELSE 'unread' END"
inbox_items = Table(
    "inbox_items",
    metadata,
    Column("recipient_id", Id, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),  # of its last change
    Column("notification_id", Uuid, nullable=False),
    Column("seen_at", Moment),
    Column("read_at", Moment),
    Column("archived_at", Moment),
    Column("state", String(8), Computed(STATE, persisted=True), nullable=False),
    Column("kind", String(KIND_MAX), nullable=False),
    Column("topic", Topic),
    Column("severity", String(6), nullable=False),
    Column("actor", Id),
    UniqueConstraint("notification_id", "recipient_id"),
)
_items = inbox_items.c
# Every list is a merge of range scans in the order of `seq`, one for each state that it shows: see
# `models.inbox.reading.page`.
Index("ix_inbox_items_state", _items.recipient_id, _items.state, _items.seq)
Index("ix_inbox_items_kind", _items.recipient_id, _items.kind, _items.state, _items.seq)
for _column, _where in (
    (_items.topic, _items.topic.is_not(None)),
    (_items.actor, _items.actor.is_not(None)),
    (_items.severity, _items.severity != "none"),  # what most items are; who asks for those reads past the others
):
    _partial_index(
        f"ix_inbox_items_{_column.name}", _items.recipient_id, _column, _items.state, _items.seq, where=_where
    )

# Every change of state, one row each, a bulk change too. Arrivals need none: an item's seq is its version.
inbox_changes = Table(
    "inbox_changes",
    metadata,
    Column("recipient_id", Id, ForeignKey("inboxes.recipient_id"), primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("change", String(12), nullable=False),
    Column("seqs", Json),  # which items; or
    Column("through", BigInteger),  # all up to this seq, narrowed by:
    Column("kind", String(KIND_MAX)),
    Column("topic", Topic),
    Column("at", Moment, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
)

Index("ix_inbox_changes_at", inbox_changes.c.at)

# Who receives what is sent to a topic. Input to the fan-out only.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("topic", Topic, primary_key=True),
    Column("recipient_id", Id, ForeignKey("inboxes.recipient_id"), primary_key=True),
    Column("created_at", Moment, nullable=False),
)
Index("ix_subscriptions_recipient_id", subscriptions.c.recipient_id)

# How far a fan-out in progress has come in each part of its audience.
fanouts = Table(
    "fanouts",
    metadata,
    Column("notification_id", Uuid, ForeignKey("notifications.id"), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("reached", Id, nullable=False),  # the last recipient who has it
    Column("until", Id, nullable=False),  # the last recipient of this part
)

# Whose tokens are refused, and up to when they were issued. One row a user; a later revocation takes the place of an
# earlier one.
revocations = Table(
    "revocations",
    metadata,
    Column("user_id", Id, primary_key=True),
    Column("revoked_before", Moment, nullable=False),
)
Index("ix_revocations_revoked_before", revocations.c.revoked_before)

# When each step of upkeep last ended well, and when it last failed.
maintenance = Table(
    "maintenance",
    metadata,
    Column("step", String(40), primary_key=True),
    Column("succeeded_at", Moment),
    Column("failed_at", Moment),
)

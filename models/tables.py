"""The declared schema. `migrations/` makes exactly this on PostgreSQL and on SQLite; a test compares the two."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
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

from models.limits import ID_MAX, IDEMPOTENCY_KEY_MAX, KIND_MAX, URL_MAX

# Ids are compared by code point on every database, as Python does: keyset paging and the order of locks depend on it.
Id = String(ID_MAX).with_variant(String(ID_MAX, collation="C"), "postgresql")
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
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


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
    Column("kind", String(KIND_MAX), nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text),
    Column("url", String(URL_MAX)),
    Column("data", Json),
    Column("actor", Id),
    Column("severity", String(6), nullable=False),
    # Exactly one of the three says who gets it.
    Column("recipients", Json),
    Column("topic", Id),
    Column("everyone", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("deliver_at", Moment),
    Column("expires_at", Moment),
    Column("delivered_at", Moment),
    Column("recipient_count", Integer, nullable=False),  # inbox items written so far
    Column("fanout_cursor", Id),  # the last recipient that a fan-out in progress has reached
    Column("enqueue_at", Moment, nullable=False),  # when the relay enqueues it (again) if it is not delivered by then
    Column("enqueued", Integer, nullable=False),  # how often the relay did
    Column("idempotency_key", String(IDEMPOTENCY_KEY_MAX)),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the content, to tell a retry from a reused key
    UniqueConstraint("producer_id", "idempotency_key"),
)
Index(
    "ix_notifications_undelivered",
    notifications.c.enqueue_at,
    postgresql_where=notifications.c.delivered_at.is_(None),
    sqlite_where=notifications.c.delivered_at.is_(None),
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
)

# One recipient's copy of a notification: its state only. `seq` is the version at which it arrived.
inbox_items = Table(
    "inbox_items",
    metadata,
    Column("recipient_id", Id, ForeignKey("inboxes.recipient_id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),  # of its last change
    Column("notification_id", Uuid, ForeignKey("notifications.id"), nullable=False),
    Column("seen_at", Moment),
    Column("read_at", Moment),
    Column("archived_at", Moment),
    UniqueConstraint("notification_id", "recipient_id"),
)
Index(
    "ix_inbox_items_unread",
    inbox_items.c.recipient_id,
    inbox_items.c.seq,
    postgresql_where=inbox_items.c.read_at.is_(None),
    sqlite_where=inbox_items.c.read_at.is_(None),
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
    Column("topic", Id),
    Column("at", Moment, nullable=False),
    Column("unread", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
)

# Who receives what is sent to a topic. Input to the fan-out only.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("topic", Id, primary_key=True),
    Column("recipient_id", Id, ForeignKey("inboxes.recipient_id"), primary_key=True),
    Column("created_at", Moment, nullable=False),
)
Index("ix_subscriptions_recipient_id", subscriptions.c.recipient_id)

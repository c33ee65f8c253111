"""What was published: one row a notification, however many recipients it has."""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, UniqueConstraint, Uuid

from models.db.literals import inline_literal
from models.limits import COUNTED_AT_ONCE, ERROR_MAX, IDEMPOTENCY_KEY_MAX, KIND_MAX
from models.schema.base import Id, Json, Topic, UtcDateTime, metadata, partial_index

notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("producer_id", Id, nullable=False),
    # The part of an item that all recipients share, as JSON: see `models.inbox.rendering`. It is rendered once, when
    # the notification is accepted.
    Column("content", Text, nullable=False),
    # The fields of the content that queries need.
    Column("kind", String(KIND_MAX), nullable=False),
    Column("actor", Id),
    Column("severity", String(6), nullable=False),
    # Exactly one of the three says who gets it.
    Column("recipients", Json),
    Column("topic", Topic),
    Column("everyone", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("batch", Uuid),  # the first id of the batch it was posted in: see `models.delivery.batch_order`
    Column("deliver_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("delivered_at", UtcDateTime),
    # Inbox items written so far. The database keeps an older name. To rename it while processes of the release before
    # write would take a copy of the column, an update of every row, and a trigger that makes each delivery cost the
    # database 4 % more CPU.
    Column("recipient_count", Integer, key="delivered_count", default=inline_literal(0), nullable=False),
    # How many of the recipients had seen and read it at `counted_at`.
    Column("seen", Integer, nullable=False, server_default="0"),
    Column("read", Integer, nullable=False, server_default="0"),
    Column("counted_at", UtcDateTime),
    Column("cancelled_at", UtcDateTime),  # by its producer: it is not delivered any more, or recalled
    Column("retired_at", UtcDateTime),  # when the retention made it expire
    Column("withdrawn_at", UtcDateTime),  # when its last item was removed, after it was cancelled or had expired
    Column("enqueue_at", UtcDateTime),  # when the relay enqueues its next step (again); NULL if no step is left
    Column(
        "enqueued", Integer, nullable=False
    ),  # by the relay, since the last attempt at this step: see `models.retries.parked`
    Column("attempts", Integer, nullable=False, server_default="0"),  # claimed and not refunded, at this step
    Column("parked_at", UtcDateTime),  # dead-lettered: given up until an operator retries or drops it
    Column("last_error", String(ERROR_MAX)),  # of the last attempt that failed
    Column("idempotency_key", String(IDEMPOTENCY_KEY_MAX)),
    Column("fingerprint", String(64), nullable=False),  # SHA-256 of the content, to tell a retry from a reused key
    UniqueConstraint("producer_id", "idempotency_key"),
)
_columns = notifications.c

LARGE = _columns.delivered_count > inline_literal(COUNTED_AT_ONCE)  # see `models.notifications.receipts`

partial_index(
    "ix_notifications_undelivered",
    _columns.created_at,
    where=_columns.delivered_at.is_(None) & _columns.cancelled_at.is_(None),
)
partial_index("ix_notifications_batch", _columns.batch, _columns.id, where=_columns.batch.is_not(None))
partial_index("ix_notifications_due", _columns.enqueue_at, where=_columns.enqueue_at.is_not(None))
partial_index("ix_notifications_parked", _columns.parked_at, _columns.id, where=_columns.parked_at.is_not(None))
Index("ix_notifications_producer_id_id", _columns.producer_id, _columns.id)
partial_index(
    "ix_notifications_kept",
    _columns.created_at,
    where=_columns.withdrawn_at.is_(None) & _columns.retired_at.is_(None),
)
partial_index("ix_notifications_large", _columns.created_at, where=_columns.withdrawn_at.is_(None) & LARGE)
partial_index("ix_notifications_withdrawn", _columns.created_at, where=_columns.withdrawn_at.is_not(None))

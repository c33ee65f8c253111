"""Create notifications, inboxes with their items and changes, and subscriptions."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Id = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
Moment = sa.DateTime(timezone=True)
Json = sa.JSON(none_as_null=True)


def upgrade() -> None:
    history = op.create_table("history", sa.Column("epoch", sa.Uuid(), nullable=False, primary_key=True))
    op.bulk_insert(history, [{"epoch": uuid.uuid4()}])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("producer_id", Id, nullable=False),
        sa.Column("kind", sa.String(100), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text()),
        sa.Column("url", sa.String(2048)),
        sa.Column("data", Json),
        sa.Column("actor", Id),
        sa.Column("severity", sa.String(6), nullable=False),
        sa.Column("recipients", Json),
        sa.Column("topic", Id),
        sa.Column("everyone", sa.Boolean(), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("deliver_at", Moment),
        sa.Column("expires_at", Moment),
        sa.Column("delivered_at", Moment),
        sa.Column("recipient_count", sa.Integer(), nullable=False),
        sa.Column("fanout_cursor", Id),
        sa.Column("enqueue_at", Moment, nullable=False),
        sa.Column("enqueued", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("producer_id", "idempotency_key", name="uq_notifications_producer_id_idempotency_key"),
    )
    undelivered = sa.text("delivered_at IS NULL")
    op.create_index(
        "ix_notifications_undelivered",
        "notifications",
        ["enqueue_at"],
        postgresql_where=undelivered,
        sqlite_where=undelivered,
    )
    op.create_table(
        "inboxes",
        sa.Column("recipient_id", Id, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.Column("changes_since", sa.BigInteger(), nullable=False),
        sa.Column("opened_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("recipient_id", name="pk_inboxes"),
    )
    op.create_table(
        "inbox_items",
        sa.Column("recipient_id", Id, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", Moment),
        sa.Column("read_at", Moment),
        sa.Column("archived_at", Moment),
        sa.PrimaryKeyConstraint("recipient_id", "seq", name="pk_inbox_items"),
        sa.ForeignKeyConstraint(["recipient_id"], ["inboxes.recipient_id"], name="fk_inbox_items_recipient_id"),
        sa.ForeignKeyConstraint(["notification_id"], ["notifications.id"], name="fk_inbox_items_notification_id"),
        sa.UniqueConstraint("notification_id", "recipient_id", name="uq_inbox_items_notification_id_recipient_id"),
    )
    unread = sa.text("read_at IS NULL")
    op.create_index(
        "ix_inbox_items_unread",
        "inbox_items",
        ["recipient_id", "seq"],
        postgresql_where=unread,
        sqlite_where=unread,
    )
    op.create_table(
        "inbox_changes",
        sa.Column("recipient_id", Id, nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("change", sa.String(12), nullable=False),
        sa.Column("seqs", Json),
        sa.Column("through", sa.BigInteger()),
        sa.Column("kind", sa.String(100)),
        sa.Column("topic", Id),
        sa.Column("at", Moment, nullable=False),
        sa.Column("unread", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("recipient_id", "version", name="pk_inbox_changes"),
        sa.ForeignKeyConstraint(["recipient_id"], ["inboxes.recipient_id"], name="fk_inbox_changes_recipient_id"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("topic", Id, nullable=False),
        sa.Column("recipient_id", Id, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("topic", "recipient_id", name="pk_subscriptions"),
        sa.ForeignKeyConstraint(["recipient_id"], ["inboxes.recipient_id"], name="fk_subscriptions_recipient_id"),
    )
    op.create_index("ix_subscriptions_recipient_id", "subscriptions", ["recipient_id"])


def downgrade() -> None:
    for table in ("subscriptions", "inbox_changes", "inbox_items", "inboxes", "notifications", "history"):
        op.drop_table(table)

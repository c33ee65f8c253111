"""Add cancellation, recall and expiry of notifications, and indexes for filters and pages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

Id = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
Moment = sa.DateTime(timezone=True)

STATE = "CASE WHEN archived_at IS NOT NULL THEN 'archived' WHEN read_at IS NOT NULL THEN 'read' ELSE 'unread' END"
COPIED = ("kind", "topic", "severity", "actor")


def upgrade() -> None:
    with op.batch_alter_table("notifications") as table:
        table.add_column(sa.Column("cancelled_at", Moment))
        table.add_column(sa.Column("withdrawn_at", Moment))
        table.alter_column("enqueue_at", existing_type=Moment, nullable=True)
    op.execute("UPDATE notifications SET enqueue_at = expires_at, enqueued = 0 WHERE delivered_at IS NOT NULL")
    op.drop_index("ix_notifications_undelivered", "notifications")
    _index(
        "ix_notifications_undelivered", "notifications", ["created_at"], "delivered_at IS NULL AND cancelled_at IS NULL"
    )
    _index("ix_notifications_due", "notifications", ["enqueue_at"], "enqueue_at IS NOT NULL")
    op.create_index("ix_notifications_producer_id_id", "notifications", ["producer_id", "id"])
    _index("ix_notifications_kept", "notifications", ["created_at"], "withdrawn_at IS NULL")
    _index("ix_notifications_withdrawn", "notifications", ["created_at"], "withdrawn_at IS NOT NULL")

    op.drop_index("ix_inbox_items_unread", "inbox_items")
    with op.batch_alter_table("inbox_items") as table:
        table.add_column(sa.Column("kind", sa.String(100)))
        table.add_column(sa.Column("topic", Id))
        table.add_column(sa.Column("severity", sa.String(6)))
        table.add_column(sa.Column("actor", Id))
    op.execute(
        "UPDATE inbox_items SET (kind, topic, severity, actor) ="
        " (SELECT kind, topic, severity, actor FROM notifications WHERE notifications.id = inbox_items.notification_id)"
    )
    with op.batch_alter_table("inbox_items") as table:
        table.alter_column("kind", existing_type=sa.String(100), nullable=False)
        table.alter_column("severity", existing_type=sa.String(6), nullable=False)
        table.add_column(sa.Column("state", sa.String(8), sa.Computed(STATE, persisted=True), nullable=False))
    op.create_index("ix_inbox_items_state", "inbox_items", ["recipient_id", "state", "seq"])
    op.create_index("ix_inbox_items_kind", "inbox_items", ["recipient_id", "kind", "state", "seq"])
    _index("ix_inbox_items_topic", "inbox_items", ["recipient_id", "topic", "state", "seq"], "topic IS NOT NULL")
    _index("ix_inbox_items_actor", "inbox_items", ["recipient_id", "actor", "state", "seq"], "actor IS NOT NULL")
    _index("ix_inbox_items_severity", "inbox_items", ["recipient_id", "severity", "state", "seq"], "severity != 'none'")
    op.create_index("ix_inbox_changes_at", "inbox_changes", ["at"])


def downgrade() -> None:
    op.drop_index("ix_inbox_changes_at", "inbox_changes")
    for name in ("severity", "actor", "topic", "kind", "state"):
        op.drop_index(f"ix_inbox_items_{name}", "inbox_items")
    with op.batch_alter_table("inbox_items") as table:
        for name in ("state", *COPIED):
            table.drop_column(name)
    _index("ix_inbox_items_unread", "inbox_items", ["recipient_id", "seq"], "read_at IS NULL")
    for index in ("withdrawn", "kept", "producer_id_id", "due", "undelivered"):
        op.drop_index(f"ix_notifications_{index}", "notifications")
    op.execute("UPDATE notifications SET enqueue_at = created_at WHERE enqueue_at IS NULL")
    with op.batch_alter_table("notifications") as table:
        table.alter_column("enqueue_at", existing_type=Moment, nullable=False)
        table.drop_column("withdrawn_at")
        table.drop_column("cancelled_at")
    _index("ix_notifications_undelivered", "notifications", ["enqueue_at"], "delivered_at IS NULL")


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)

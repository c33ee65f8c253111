"""Fan out in parts, drop the foreign keys of items, and set a fill factor for inboxes (HOT updates)."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

Id = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
AFTER_ALL = "\U0010ffff" * 255
KEYS = {"recipient_id": "inboxes", "notification_id": "notifications"}
STATE = "CASE WHEN archived_at IS NOT NULL THEN 'archived' WHEN read_at IS NOT NULL THEN 'read' ELSE 'unread' END"
FILTERS = {"kind": None, "topic": "topic IS NOT NULL", "actor": "actor IS NOT NULL", "severity": "severity != 'none'"}


def upgrade() -> None:
    op.create_table(
        "fanouts",
        sa.Column("notification_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reached", Id, nullable=False),
        sa.Column("until", Id, nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "part", name="pk_fanouts"),
        sa.ForeignKeyConstraint(["notification_id"], ["notifications.id"], name="fk_fanouts_notification_id"),
    )
    begun = sa.text(
        "INSERT INTO fanouts SELECT id, 0, fanout_cursor, :until FROM notifications"
        " WHERE fanout_cursor IS NOT NULL AND delivered_at IS NULL"
    )
    op.execute(begun.bindparams(until=AFTER_ALL))
    with op.batch_alter_table("notifications") as table:
        table.drop_column("fanout_cursor")
    with _items() as items:
        for column in KEYS:
            items.drop_constraint(f"fk_inbox_items_{column}", type_="foreignkey")
    if not _is_sqlite():
        op.execute("ALTER TABLE inboxes SET (fillfactor = 50)")  # applies to pages written from now on


def downgrade() -> None:
    if op.get_bind().scalar(sa.text("SELECT count(*) FROM fanouts")):
        raise RuntimeError("fan-outs are under way, in parts that the version before does not know: let them end first")
    op.add_column("notifications", sa.Column("fanout_cursor", Id))
    op.drop_table("fanouts")
    if not _is_sqlite():
        op.execute("ALTER TABLE inboxes RESET (fillfactor)")
    with _items() as items:
        for column, table in KEYS.items():
            key = "id" if table == "notifications" else column
            items.create_foreign_key(f"fk_inbox_items_{column}", table, [column], [key])


@contextmanager
def _items() -> Iterator[BatchOperations]:
    """Alter the table. SQLite copies it, and Alembic cannot copy the computed column, so it is dropped meanwhile."""
    if _is_sqlite():
        for name in ("state", *FILTERS):
            op.drop_index(f"ix_inbox_items_{name}", "inbox_items")
    with op.batch_alter_table("inbox_items") as table:
        if _is_sqlite():
            table.drop_column("state")
        yield table
    if _is_sqlite():
        with op.batch_alter_table("inbox_items") as table:
            table.add_column(sa.Column("state", sa.String(8), sa.Computed(STATE, persisted=True), nullable=False))
        op.create_index("ix_inbox_items_state", "inbox_items", ["recipient_id", "state", "seq"])
        for name, condition in FILTERS.items():
            where = None if condition is None else sa.text(condition)
            columns = ["recipient_id", name, "state", "seq"]
            op.create_index(f"ix_inbox_items_{name}", "inbox_items", columns, sqlite_where=where)


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"

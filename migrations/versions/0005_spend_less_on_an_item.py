"""Drop the foreign keys of items, and leave room beside each inbox for its next state."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEYS = {"recipient_id": "inboxes", "notification_id": "notifications"}
STATE = "CASE WHEN archived_at IS NOT NULL THEN 'archived' WHEN read_at IS NOT NULL THEN 'read' ELSE 'unread' END"
FILTERS = {"kind": None, "topic": "topic IS NOT NULL", "actor": "actor IS NOT NULL", "severity": "severity != 'none'"}


def upgrade() -> None:
    with _items() as items:
        for column in KEYS:
            items.drop_constraint(f"fk_inbox_items_{column}", type_="foreignkey")
    if not _is_sqlite():
        op.execute("ALTER TABLE inboxes SET (fillfactor = 50)")  # of pages that are written from now on


def downgrade() -> None:
    if not _is_sqlite():
        op.execute("ALTER TABLE inboxes RESET (fillfactor)")
    with _items() as items:
        for column, table in KEYS.items():
            key = "id" if table == "notifications" else column
            items.create_foreign_key(f"fk_inbox_items_{column}", table, [column], [key])


@contextmanager
def _items() -> Iterator[BatchOperations]:
    """SQLite makes the table anew, for which Alembic must not see the column that is computed."""
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

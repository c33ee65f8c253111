"""Rename the table `history` to `epoch`. A view keeps the old name for processes of the release before.

PostgreSQL renames in its catalogue, and writes through the view as well. SQLite's view is read-only: there the release
before cannot begin a new epoch. A later migration drops the view.
"""

import sqlalchemy as sa
from alembic import op

from migrations.locks import alter_in_use

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

VIEW = "CREATE VIEW history AS SELECT epoch FROM epoch"
RENAME = f"""
DO $$ BEGIN
    IF to_regclass('epoch') IS NULL THEN
        ALTER TABLE history RENAME TO epoch;
        ALTER TABLE epoch RENAME CONSTRAINT pk_history TO pk_epoch;
        {VIEW};
    END IF;
END $$
"""
RENAME_BACK = """
DO $$ BEGIN
    IF to_regclass('epoch') IS NOT NULL THEN
        DROP VIEW history;
        ALTER TABLE epoch RENAME CONSTRAINT pk_epoch TO pk_history;
        ALTER TABLE epoch RENAME TO history;
    END IF;
END $$
"""


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _copy("history", "epoch")
        op.execute(VIEW)
    else:
        alter_in_use("history", RENAME)


def downgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        op.execute("DROP VIEW history")
        _copy("epoch", "history")
    else:
        alter_in_use("epoch", RENAME_BACK)


def _copy(old: str, new: str) -> None:
    """SQLite cannot rename the constraint, whose name is that of the table."""
    table = op.create_table(new, sa.Column("epoch", sa.Uuid(), nullable=False, primary_key=True))
    op.execute(sa.insert(table).from_select(["epoch"], sa.select(sa.table(old, sa.column("epoch")))))
    op.drop_table(old)

"""Let topics be longer by the prefix that names the followers of a user: `user:` and an id of 255 characters.

PostgreSQL changes its catalogue and builds one partial index anew, ix_inbox_items_topic; it rewrites no table. SQLite
knows no lengths. The version before works on this schema.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = ("notifications", "inbox_items", "inbox_changes", "subscriptions")


def upgrade() -> None:
    _change(255, 260)


def downgrade() -> None:
    _change(260, 255)


def _change(before: int, after: int) -> None:
    if op.get_context().dialect.name == "sqlite":
        return
    for table in TABLES:
        op.alter_column(
            table, "topic", existing_type=sa.String(before, collation="C"), type_=sa.String(after, collation="C")
        )

"""Count attempts, and park notifications that keep failing."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    # With the default, processes of the previous version can insert without this column.
    op.add_column("notifications", sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
    op.add_column("notifications", sa.Column("parked_at", Moment))
    op.add_column("notifications", sa.Column("last_error", sa.String(200)))
    parked = sa.text("parked_at IS NOT NULL")
    op.create_index(
        "ix_notifications_parked", "notifications", ["parked_at", "id"], postgresql_where=parked, sqlite_where=parked
    )


def downgrade() -> None:
    op.drop_index("ix_notifications_parked", "notifications")
    with op.batch_alter_table("notifications") as table:
        for name in ("last_error", "parked_at", "attempts"):
            table.drop_column(name)

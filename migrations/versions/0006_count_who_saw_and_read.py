"""Cache the seen and read counts of large notifications, and mark those that maintenance has retired."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    for name in ("seen", "read"):
        op.add_column("notifications", sa.Column(name, sa.Integer(), server_default="0", nullable=False))
    op.add_column("notifications", sa.Column("counted_at", Moment))
    op.add_column("notifications", sa.Column("retired_at", Moment))
    _index("ix_notifications_large", "withdrawn_at IS NULL AND recipient_count > 10000")
    op.drop_index("ix_notifications_kept", "notifications")
    _index("ix_notifications_kept", "withdrawn_at IS NULL AND retired_at IS NULL")


def downgrade() -> None:
    op.drop_index("ix_notifications_large", "notifications")
    op.drop_index("ix_notifications_kept", "notifications")
    _index("ix_notifications_kept", "withdrawn_at IS NULL")
    with op.batch_alter_table("notifications") as table:
        for name in ("retired_at", "counted_at", "read", "seen"):
            table.drop_column(name)


def _index(name: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "notifications", ["created_at"], postgresql_where=where, sqlite_where=where)

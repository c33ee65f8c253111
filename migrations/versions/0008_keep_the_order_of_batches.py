"""Add the batch of a notification and the outcome of maintenance, and delete the parts of ended fan-outs.

The previous version works on this schema.
"""

import sqlalchemy as sa
from alembic import op

from migrations.indexes import add_index, drop_index
from migrations.locks import alter_in_use

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

Moment = sa.DateTime(timezone=True)
# Migration 0007 created parts for all fan-outs that had begun, also for cancelled and withdrawn ones.
ENDED = """
DELETE FROM fanouts WHERE notification_id IN (
    SELECT id FROM notifications
    WHERE delivered_at IS NOT NULL OR cancelled_at IS NOT NULL OR withdrawn_at IS NOT NULL
)
"""


def upgrade() -> None:
    op.execute(ENDED)
    op.create_table(
        "maintenance",
        sa.Column("step", sa.String(40), nullable=False),
        sa.Column("succeeded_at", Moment),
        sa.Column("failed_at", Moment),
        sa.PrimaryKeyConstraint("step", name="pk_maintenance"),
        if_not_exists=True,
    )
    if op.get_context().dialect.name == "sqlite":
        op.add_column("notifications", sa.Column("batch", sa.Uuid()))
    else:
        alter_in_use("notifications", "ALTER TABLE notifications ADD COLUMN IF NOT EXISTS batch UUID")
    add_index("ix_notifications_batch", "notifications", ["batch", "id"], "batch IS NOT NULL")


def downgrade() -> None:
    drop_index("ix_notifications_batch")
    if op.get_context().dialect.name == "sqlite":
        with op.batch_alter_table("notifications") as table:
            table.drop_column("batch")
        op.drop_table("maintenance")
    else:
        alter_in_use("notifications", "ALTER TABLE notifications DROP COLUMN IF EXISTS batch")
        alter_in_use("maintenance", "DROP TABLE IF EXISTS maintenance")

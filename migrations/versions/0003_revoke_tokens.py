"""Add revocations of tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "revocations",
        sa.Column(
            "user_id", sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql"), primary_key=True
        ),
        sa.Column("revoked_before", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_revocations_revoked_before", "revocations", ["revoked_before"])


def downgrade() -> None:
    op.drop_table("revocations")

"""Indexes on tables that are in use: PostgreSQL builds them without keeping writers out."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op


def add_index(name: str, table: str, columns: Sequence[str], where: str) -> None:
    """Create a partial index, concurrently on PostgreSQL; can be run again after it failed midway.

    PostgreSQL refuses this in a transaction. What the migration did before is committed; it must bear being repeated.
    """
    if _is_sqlite():
        op.create_index(name, table, columns, sqlite_where=sa.text(where))
        return
    op.execute("COMMIT")
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # an attempt that failed leaves an invalid index
    op.create_index(name, table, columns, postgresql_where=sa.text(where), postgresql_concurrently=True)
    op.execute("BEGIN")


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"

"""Indexes on tables that are in use. PostgreSQL builds and drops them concurrently, without blocking writers."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from migrations.transactions import outside_transaction


def add_index(name: str, table: str, columns: Sequence[str], where: str) -> None:
    """Create a partial index, concurrently on PostgreSQL. It can be repeated after a failure.

    PostgreSQL does this only outside a transaction. The migration's earlier statements are committed first, so they
    must be repeatable.
    """
    if _is_sqlite():
        op.create_index(name, table, columns, sqlite_where=sa.text(where))
        return
    with outside_transaction() as schema:
        _drop(name, schema)  # a failed attempt leaves an invalid index
        op.create_index(
            name, table, columns, schema=schema, postgresql_where=sa.text(where), postgresql_concurrently=True
        )


def drop_index(name: str) -> None:
    """Drop an index if it exists; on PostgreSQL concurrently, and with the same rule as `add_index`."""
    if _is_sqlite():
        op.execute(f"DROP INDEX IF EXISTS {name}")
        return
    with outside_transaction() as schema:
        _drop(name, schema)


def _drop(name: str, schema: str | None) -> None:
    quote = op.get_context().dialect.identifier_preparer.quote_schema
    place = f"{quote(schema)}." if schema else ""
    op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {place}{name}")


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"

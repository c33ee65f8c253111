"""Statements outside of the one transaction in which Alembic runs migrations on PostgreSQL.

Through a pooler, the settings that DATABASE_URL names, `search_path` among them, hold in a transaction alone. So
transactions are begun as `models` begins them, and a statement outside of any names the schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import sqlalchemy as sa
from alembic import op

from models.db.server_connection import ServerConnection


@contextmanager
def outside_transaction() -> Iterator[str | None]:
    """Yields the schema of the tables, which a statement in the block must name; None in `alembic upgrade --sql`.

    What the migration did before is committed; it must bear being repeated.
    """
    schema = None if op.get_context().as_sql else op.get_bind().scalar(sa.text("SELECT current_schema()"))
    op.execute("COMMIT")
    yield schema
    begin()


def begin() -> None:
    """Begin a transaction with the settings of the one that was begun before."""
    if op.get_context().as_sql:
        op.execute("BEGIN")
        return
    cast(ServerConnection, op.get_bind().connection.driver_connection).begin_again()

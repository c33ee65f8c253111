"""Run statements outside the transaction in which Alembic runs migrations on PostgreSQL.

Through a pooler, the settings in DATABASE_URL, such as `search_path`, take effect only within a transaction. So
transactions begin as in `models`, and a statement outside a transaction names the schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import sqlalchemy as sa
from alembic import op

from models.db.server_connection import ServerConnection


@contextmanager
def outside_transaction() -> Iterator[str | None]:
    """Yield the schema of the tables, which a statement in the block must name; None for `alembic upgrade --sql`.

    The migration's earlier statements are committed first, so they must be repeatable.
    """
    schema = None if op.get_context().as_sql else op.get_bind().scalar(sa.text("SELECT current_schema()"))
    op.execute("COMMIT")
    yield schema
    begin()


def begin() -> None:
    """Begin a transaction with the settings of the previous one."""
    if op.get_context().as_sql:
        op.execute("BEGIN")
        return
    cast(ServerConnection, op.get_bind().connection.driver_connection).begin_again()

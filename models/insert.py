"""INSERT that meets rows already there: PostgreSQL and SQLite say it alike, SQLAlchemy in two dialects."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

from models.database import Session


def insert_into(session: Session, table: Table) -> PostgresInsert | SqliteInsert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return PostgresInsert(table) if session.dialect.name == "postgresql" else SqliteInsert(table)


def insert_new(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows that are not there yet, in this order. Says how many were new."""
    if not rows:
        return 0
    unless_there = insert_into(session, table).on_conflict_do_nothing().returning(*table.primary_key)
    return len(session.execute(unless_there, rows).all())

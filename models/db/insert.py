"""INSERT of rows of which some exist already, on both databases: SQLAlchemy has ON CONFLICT in the dialects alone."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Table, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

from models.db.database import Session, fetch

CACHE_SIZE = 32  # statements: one for each table and set of columns


def insert_into(session: Session, table: Table) -> PostgresInsert | SqliteInsert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return PostgresInsert(table) if session.dialect.name == "postgresql" else SqliteInsert(table)


def insert_or_skip(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows, all of the same columns, in this order; skip those that exist.

    On PostgreSQL they are one JSON parameter: a parameter for each column would cost three times as much.
    """
    if session.dialect.name == "postgresql":
        text = json.dumps(rows, default=str, ensure_ascii=False, separators=(",", ":"))
        fetch(session, _from_json(table, tuple(rows[0])), {"rows": text})
    else:
        session.execute(SqliteInsert(table).on_conflict_do_nothing(), rows)


def insert_new(session: Session, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows in this order, skip those that exist; returns how many were inserted."""
    if not rows:
        return 0
    new = insert_into(session, table).on_conflict_do_nothing().returning(*table.primary_key)
    return len(session.execute(new, rows).all())


@lru_cache(CACHE_SIZE)
def _from_json(table: Table, names: Sequence[str]) -> PostgresInsert:
    columns: list[ColumnElement[Any]] = [literal_column(name) for name in names]
    row_type: ColumnElement[Any] = literal_column(f"NULL::{table.name}")
    rows = func.json_populate_recordset(row_type, cast(bindparam("rows", type_=String), JSON)).alias("row")
    return PostgresInsert(table).from_select(names, select(*columns).select_from(rows)).on_conflict_do_nothing()

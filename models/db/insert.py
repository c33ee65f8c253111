"""INSERT of rows of which some exist already, on both databases: SQLAlchemy has ON CONFLICT in the dialects alone."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, ColumnElement, String, Table, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert

from models.db.database import Connection, execute_prepared

CACHE_SIZE = 32  # statements: one for each table and set of columns


def insert_into(conn: Connection, table: Table) -> PostgresInsert | SqliteInsert:
    """An INSERT with `on_conflict_do_nothing` and `on_conflict_do_update`."""
    return PostgresInsert(table) if conn.dialect.name == "postgresql" else SqliteInsert(table)


def insert_or_skip(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows, all of the same columns, in this order; skip those that exist.

    On PostgreSQL they are one JSON parameter: a parameter for each column would cost three times as much.
    """
    if conn.dialect.name == "postgresql":
        text = json.dumps(rows, default=str, ensure_ascii=False, separators=(",", ":"))
        execute_prepared(conn, _from_json(table, tuple(rows[0])), {"rows": text})
    else:
        conn.execute(SqliteInsert(table).on_conflict_do_nothing(), rows)


def insert_new(conn: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> int:
    """Insert the rows in this order, skip those that exist; returns how many were inserted."""
    if not rows:
        return 0
    new = insert_into(conn, table).on_conflict_do_nothing().returning(*table.primary_key)
    return len(conn.execute(new, rows).all())


@lru_cache(CACHE_SIZE)
def _from_json(table: Table, names: Sequence[str]) -> PostgresInsert:
    columns: list[ColumnElement[Any]] = [literal_column(name) for name in names]
    row_type: ColumnElement[Any] = literal_column(f"NULL::{table.name}")
    rows = func.json_populate_recordset(row_type, cast(bindparam("rows", type_=String), JSON)).alias("row")
    return PostgresInsert(table).from_select(names, select(*columns).select_from(rows)).on_conflict_do_nothing()

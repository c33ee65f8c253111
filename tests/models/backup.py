"""Backups as rows, for any database: a restore without the server's own tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, insert, select

from models.db.database import Connection
from models.schema import metadata
from models.schema.inbox import epoch

Backup = Mapping[Table, Sequence[dict[str, Any]]]

TABLES = [table for table in metadata.sorted_tables if table is not epoch]  # its one row always exists


def back_up(conn: Connection) -> Backup:
    return {table: _rows(conn, table) for table in TABLES}


def restore(conn: Connection, backup: Backup) -> None:
    """Put every row back. The epoch is kept: `models.inbox.epoch` begins a new one."""
    empty(conn)
    for table, rows in backup.items():
        if rows:
            conn.execute(insert(table), rows)


def empty(conn: Connection) -> None:
    for table in reversed(TABLES):
        conn.execute(delete(table))


def _rows(conn: Connection, table: Table) -> list[dict[str, Any]]:
    """All rows, without the columns that the database computes."""
    stored = [column for column in table.columns if column.computed is None]
    return [dict(row) for row in conn.execute(select(*stored)).mappings()]

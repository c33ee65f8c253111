"""Backups as rows, for any database: a restore without the server's own tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, delete, insert, select

from models.db.database import Session
from models.schema import metadata
from models.schema.inbox import epoch

Backup = Mapping[Table, Sequence[dict[str, Any]]]

TABLES = [table for table in metadata.sorted_tables if table is not epoch]  # its one row always exists


def back_up(session: Session) -> Backup:
    return {table: _rows(session, table) for table in TABLES}


def restore(session: Session, backup: Backup) -> None:
    """Put every row back. The epoch is kept: `models.inbox.epoch` begins a new one."""
    empty(session)
    for table, rows in backup.items():
        if rows:
            session.execute(insert(table), rows)


def empty(session: Session) -> None:
    for table in reversed(TABLES):
        session.execute(delete(table))


def _rows(session: Session, table: Table) -> list[dict[str, Any]]:
    """All rows, without the columns that the database computes."""
    stored = [column for column in table.columns if column.computed is None]
    return [dict(row) for row in session.execute(select(*stored)).mappings()]

"""The types of columns, and the metadata that every table belongs to."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, DateTime, Dialect, Index, MetaData, String
from sqlalchemy.types import TypeDecorator

from models.limits import ID_MAX, STORED_TOPIC_MAX

# Ids are compared by code point on every database, as Python does: keyset paging and the order of locks depend on it.
Id = String(ID_MAX).with_variant(String(ID_MAX, collation="C"), "postgresql")
# SQLite ignores lengths, so its columns keep the one that they were created with.
Topic = String(STORED_TOPIC_MAX).with_variant(String(STORED_TOPIC_MAX, collation="C"), "postgresql")
Topic = Topic.with_variant(String(ID_MAX), "sqlite")
Json = JSON(none_as_null=True)


class UtcDateTime(TypeDecorator[datetime]):
    """A UTC time, aware in Python on every database; SQLite stores no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        """None on PostgreSQL, whose sessions are in UTC: a call for each value would take a tenth of a page's time."""
        return super().result_processor(dialect, coltype) if dialect.name == "sqlite" else None


metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def partial_index(name: str, *columns: Column[Any], where: ColumnElement[bool]) -> Index:
    return Index(name, *columns, postgresql_where=where, sqlite_where=where)

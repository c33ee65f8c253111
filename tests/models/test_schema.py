"""The migrations make exactly the declared schema, on both databases, and keep what is in it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    String,
    UniqueConstraint,
    Uuid,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedIndex
from sqlalchemy.types import TypeEngine

from models.db.database import Database
from models.inbox.rendering import Change, Rendered
from models.schema import metadata
from models.schema.base import UtcDateTime
from models.schema.delivery import fanouts
from models.schema.notifications import notifications
from tests.models.conftest import NOW, migrate


def test_the_migrations_make_exactly_the_declared_schema(database: Database) -> None:
    with database.transaction() as conn:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_keys_indices_and_their_conditions_are_those_declared(database: Database) -> None:
    """Alembic compares no primary keys, foreign keys and conditions of indexes."""
    found = _described(database)
    with database.transaction() as conn:
        conn.execute(text("DROP VIEW history"))  # for the release before: see migration 0010
        metadata.drop_all(conn)
        metadata.create_all(conn)
    assert found == _described(database)


def test_ids_are_ordered_by_code_point_on_every_database(database: Database) -> None:
    ids = ["Zoe", "alice", "Ärger", "ärger", "a b", "a-b", "😀", "\uffff"]
    with database.transaction() as conn:
        for id_ in ids:
            values = {"id": id_}
            conn.execute(text("INSERT INTO inboxes VALUES (:id, 0, 0, 0, 0, '2026-01-01 00:00:00+00')"), values)
        ordered = conn.scalars(text("SELECT recipient_id FROM inboxes ORDER BY recipient_id")).all()
    assert ordered == sorted(ids)


def test_a_second_migration_changes_nothing_and_keeps_the_epoch(database: Database) -> None:
    epoch = text("SELECT epoch FROM epoch")
    with database.snapshot() as conn:
        before = conn.scalars(epoch).all()
    migrate(database.url)
    with database.snapshot() as conn:
        assert conn.scalars(epoch).all() == before
    assert len(before) == 1


def test_what_was_published_before_its_content_was_kept_rendered_is_shown_as_it_was(
    database: Database, receive: Callable[..., list[Change]], items_of: Callable[..., list[Rendered]]
) -> None:
    """Downgrade to the old columns, and upgrade again."""
    said = {
        "title": "Grüße ☂ \u2028",
        "body": 'a\n"b"\\',
        "url": "/x",
        "data": {"n": [1.5, None, 10**30]},
        "actor": "alice",
    }
    receive("bob", **said, kind="k", severity="high", expires_at=NOW + timedelta(days=1))
    receive("bob", title="bare")
    before = items_of("bob")
    url = database.url
    migrate(url, "0004", command.downgrade)
    migrate(url)
    assert items_of("bob") == before


def test_parts_that_ended_fan_outs_left_behind_are_deleted_and_those_under_way_stay(
    database: Database, accept: Callable[..., UUID]
) -> None:
    """Migration 0007 made some for fan-outs that were cancelled and withdrawn by then."""
    cancelled, delivered, under_way = (accept(everyone=True) for _ in range(3))
    with database.transaction() as conn:
        for id_, over in ((cancelled, "cancelled_at"), (delivered, "delivered_at")):
            conn.execute(update(notifications).where(notifications.c.id == id_).values({over: NOW}))
        for id_ in (cancelled, delivered, under_way):
            conn.execute(fanouts.insert().values(notification_id=id_, part=0, reached="bob", until="x"))
    migrate(database.url, "0007", command.downgrade)
    migrate(database.url)
    with database.snapshot() as conn:
        assert conn.scalars(select(fanouts.c.notification_id)).all() == [under_way]


def test_there_is_one_head() -> None:
    assert len(ScriptDirectory.from_config(Config("alembic.ini")).get_heads()) == 1


INDEX_ROW_MAX = 2_704  # bytes: a third of a page, beyond which PostgreSQL refuses the row
BYTES: dict[type[TypeEngine[Any]], int] = {Uuid: 16, BigInteger: 8, Integer: 4, Boolean: 1, UtcDateTime: 8}
OVERHEAD = 16  # of the row, with alignment and the lengths of texts


def test_every_index_has_room_for_the_longest_of_everything_that_it_holds() -> None:
    for table in metadata.sorted_tables:
        uniques = [one for one in table.constraints if isinstance(one, UniqueConstraint)]
        indexes: list[PrimaryKeyConstraint | UniqueConstraint | Index] = [table.primary_key, *uniques, *table.indexes]
        for index in indexes:
            size = sum(map(_bytes, index.columns))
            assert OVERHEAD + size <= INDEX_ROW_MAX, f"{index.name} of {table.name} may need {size} bytes"


def _bytes(column: Column[Any]) -> int:
    """The size of the longest value: four bytes a character, and a header."""
    if isinstance(column.type, String):
        assert column.type.length is not None, f"{column} is in an index and has no limit"
        return 8 + 4 * column.type.length
    return next(size for type_, size in BYTES.items() if isinstance(column.type, type_))


def _described(database: Database) -> dict[str, object]:
    inspector = inspect(database.engine)
    return {
        table: (
            inspector.get_pk_constraint(table),
            sorted(inspector.get_foreign_keys(table), key=str),
            sorted(_index(index) for index in inspector.get_indexes(table)),
            sorted(inspector.get_unique_constraints(table), key=str),
            sorted(_column(column) for column in inspector.get_columns(table)),
        )
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def _column(column: ReflectedColumn) -> tuple[str, str, bool, str]:
    return column["name"], str(column["type"]), column["nullable"], str(column.get("computed"))


def _index(index: ReflectedIndex) -> tuple[str, str, str]:
    conditions = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str(index["name"]), str(index["column_names"]), str(sorted(conditions.items()))

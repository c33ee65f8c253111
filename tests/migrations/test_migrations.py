"""A migration expands the schema; a contracting one names the migration with which the use of the old form ended.

The schema is compared before and after each migration, on PostgreSQL. See migrations/README.md.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from io import StringIO

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection, Engine, String, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn

from migrations import locks
from models.db.database import Database
from tests.conftest import demand_service
from tests.models.conftest import migrate
from tests.support import wait_for
from tests.support.fresh import fresh_database

RULE_SINCE = "0008"

BUILDS_AN_INDEX = re.compile(r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY)[^;]* ON (\w+)")
CREATES_A_TABLE = re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)")

WRITE = "LOCK TABLE {table} IN ROW EXCLUSIVE MODE"  # as INSERT, UPDATE and DELETE do
UPDATABLE_VIEWS = text("SELECT table_name FROM information_schema.views WHERE is_updatable = 'YES'")
WAITING = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"

Schema = dict[str, dict[str, ReflectedColumn]]

MIGRATIONS = {one.revision: one for one in ScriptDirectory.from_config(Config("alembic.ini")).walk_revisions()}
NEW = [one for one in MIGRATIONS.values() if one.revision >= RULE_SINCE]


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty one, on PostgreSQL."""
    with fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url:
        database = Database(url)
        yield database
        database.dispose()


def schema(connection: Engine | Connection) -> Schema:
    """The tables, and the views that serve as tables."""
    inspector = inspect(connection)
    return {
        table: {column["name"]: column for column in inspector.get_columns(table)}
        for table in (*inspector.get_table_names(), *updatable_views(connection, inspector.get_view_names()))
    }


def updatable_views(connection: Engine | Connection, views: list[str]) -> set[str]:
    with connection.connect() if isinstance(connection, Engine) else nullcontext(connection) as opened:
        return set(opened.scalars(UPDATABLE_VIEWS)).intersection(views)


def contractions(before: Schema, after: Schema) -> list[str]:
    """What breaks the release before, which uses the schema `before`. A renaming is a loss."""
    found = [f"{table} is gone" for table in before if table not in after]
    for table, columns in before.items():
        for name in columns if table in after else ():
            found += changes(f"{table}.{name}", columns[name], after[table].get(name))
        found += [
            f"{table}.{name} demands a value"
            for name, column in after.get(table, {}).items()
            if name not in columns and not column["nullable"] and column["default"] is None
        ]
    return found


def changes(name: str, before: ReflectedColumn, after: ReflectedColumn | None) -> Iterator[str]:
    if after is None:
        yield f"{name} is gone"
        return
    if before["nullable"] and not after["nullable"]:
        yield f"{name} may not be NULL any more"
    if before["default"] is not None and after["default"] is None:
        yield f"{name} has lost its default"
    if str(before["type"]) != str(after["type"]) and not is_wider(before, after):
        yield f"{name} has another type"


def is_wider(before: ReflectedColumn, after: ReflectedColumn) -> bool:
    """A longer string: PostgreSQL changes its catalogue alone."""
    old, new = before["type"], after["type"]
    if not (isinstance(old, String) and isinstance(new, String) and type(old) is type(new)):
        return False
    return old.length is not None and new.length is not None and old.length <= new.length


def may_contract(migration: Script) -> bool:
    named = getattr(migration.module, "CONTRACTS", None)
    return named is not None and named in MIGRATIONS and named < migration.revision


def sql_of(migration: Script) -> str:
    """What it sends to PostgreSQL."""
    sent = StringIO()
    context = MigrationContext.configure(dialect_name="postgresql", opts={"as_sql": True, "output_buffer": sent})
    with Operations.context(context):
        migration.module.upgrade()
    return sent.getvalue()


def blocking_indexes(sql: str) -> list[str]:
    """The tables with rows that are locked while an index is built."""
    new = CREATES_A_TABLE.findall(sql)
    return [table for table in BUILDS_AN_INDEX.findall(sql) if table not in new]


@pytest.mark.parametrize("migration", NEW, ids=lambda one: one.revision)
def test_the_release_before_works_on_the_schema(database: Database, migration: Script) -> None:
    migrate(database.url, str(migration.down_revision))
    before = schema(database.engine)
    migrate(database.url, migration.revision)
    assert may_contract(migration) or contractions(before, schema(database.engine)) == []


@pytest.mark.parametrize("migration", NEW, ids=lambda one: one.revision)
def test_no_index_is_built_while_writers_wait(migration: Script) -> None:
    assert blocking_indexes(sql_of(migration)) == []


@pytest.mark.slow
@pytest.mark.parametrize("migration", NEW, ids=lambda one: one.revision)
def test_nobody_waits_behind_a_migration_that_waits_for_a_table(
    database: Database, migration: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction has locked a table, another writes to it; each table in turn."""
    monkeypatch.setattr(locks, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(locks, "ATTEMPTS", 1)
    migrate(database.url, migration.revision)
    for table in schema(database.engine):
        for revision, go in ((migration.down_revision, command.downgrade), (migration.revision, command.upgrade)):
            if table in schema(database.engine):
                migrate_while_in_use(database.url, table, partial(migrate, database.url, str(revision), go))
            migrate(database.url, str(revision), go)


def migrate_while_in_use(url: str, table: str, go: Callable[[], None]) -> None:
    with ThreadPoolExecutor() as pool, psycopg.connect(url) as writer, psycopg.connect(url) as other:
        writer.execute(WRITE.format(table=table).encode())
        migrating = pool.submit(go)
        with closing(writer):  # so that the migration ends
            wait_for(lambda: migrating.done() or waits_for_a_lock(url), what="the migration")
            other.execute("SET lock_timeout = '3s'")
            other.execute(WRITE.format(table=table).encode())
            other.rollback()
    assert "cannot be locked" in str(migrating.exception() or "cannot be locked")


def waits_for_a_lock(url: str) -> bool:
    with psycopg.connect(url) as connection:
        return bool(connection.execute(WAITING).fetchall())


def test_a_migration_that_failed_midway_can_be_run_again(database: Database) -> None:
    """Building an index commits the earlier part of the migration; here the index fails."""
    migrate(database.url, "0007")
    with database.transaction() as conn:
        conn.execute(text("CREATE VIEW ix_notifications_batch AS SELECT 1"))
    with pytest.raises(Exception, match="ix_notifications_batch"):
        migrate(database.url)
    with database.transaction() as conn:
        conn.execute(text("DROP VIEW ix_notifications_batch"))
    migrate(database.url)
    assert "batch" in schema(database.engine)["notifications"]


INSERT = """
INSERT INTO notifications (id, producer_id, content, kind, severity, recipients, everyone, created_at, recipient_count,
    enqueued, enqueue_at, fingerprint)
VALUES (gen_random_uuid(), 'shop', '{"id":"x"}', 'offer', 'none', '["bob"]', false, now(), 0, 0, now(), '')
"""


def test_what_the_release_before_inserts_is_there(database: Database) -> None:
    """It inserts without the newer columns."""
    migrate(database.url)
    with database.transaction() as conn:
        conn.execute(text(INSERT))
        assert conn.scalar(text("SELECT batch FROM notifications")) is None


def test_the_migration_that_broke_the_release_before_would_be_refused(database: Database) -> None:
    migrate(database.url, "0006")
    before = schema(database.engine)
    migrate(database.url, "0007")
    assert contractions(before, schema(database.engine)) == ["notifications.fanout_cursor is gone"]


RENAMED_BEHIND_A_VIEW = "DO $$ BEGIN ALTER TABLE epoch RENAME TO epochs; CREATE VIEW epoch AS {view}; END $$"
REFUSED = {
    "DROP TABLE subscriptions": "subscriptions is gone",
    "ALTER TABLE epoch RENAME TO epochs": "epoch is gone",
    RENAMED_BEHIND_A_VIEW.format(view="SELECT DISTINCT epoch FROM epochs"): "epoch is gone",  # read-only
    "ALTER TABLE notifications DROP COLUMN seen": "notifications.seen is gone",
    "ALTER TABLE notifications RENAME COLUMN seen TO seen_count": "notifications.seen is gone",
    "ALTER TABLE notifications ALTER COLUMN actor SET NOT NULL": "notifications.actor may not be NULL any more",
    "ALTER TABLE notifications ALTER COLUMN seen DROP DEFAULT": "notifications.seen has lost its default",
    "ALTER TABLE notifications ALTER COLUMN seen TYPE text": "notifications.seen has another type",
    "ALTER TABLE notifications ALTER COLUMN kind TYPE varchar(9)": "notifications.kind has another type",
    "ALTER TABLE notifications ADD COLUMN tenant text NOT NULL": "notifications.tenant demands a value",
}
ALLOWED = [
    RENAMED_BEHIND_A_VIEW.format(view="SELECT epoch FROM epochs"),
    "ALTER TABLE notifications ADD COLUMN tenant text",
    "ALTER TABLE notifications ADD COLUMN tenant text NOT NULL DEFAULT ''",
    "ALTER TABLE notifications ALTER COLUMN kind TYPE varchar(999)",
    "CREATE TABLE tenants (id text NOT NULL)",
]


def test_what_breaks_the_release_before_is_found(database: Database) -> None:
    migrate(database.url)
    before = schema(database.engine)
    for statement, found in [*REFUSED.items(), *((one, None) for one in ALLOWED)]:
        with database.engine.connect() as conn, conn.begin() as transaction:
            conn.execute(text(statement))
            after = schema(conn)
            transaction.rollback()
        assert contractions(before, after) == ([] if found is None else [found]), statement


def test_an_index_that_keeps_writers_out_is_found() -> None:
    built = "CREATE INDEX ix ON notifications (kind);"
    assert blocking_indexes(built) == ["notifications"]
    assert blocking_indexes(built.replace("INDEX", "UNIQUE INDEX")) == ["notifications"]
    assert blocking_indexes(built.replace("INDEX", "INDEX CONCURRENTLY")) == []
    assert blocking_indexes(f"CREATE TABLE notifications (kind text); {built}") == []


@pytest.mark.parametrize(("named", "may"), [("0007", True), ("0008", False), ("0009", False), ("0006b", False)])
def test_who_contracts_names_an_older_migration(monkeypatch: pytest.MonkeyPatch, named: str, may: bool) -> None:
    migration = MIGRATIONS["0008"]
    assert not may_contract(migration)
    monkeypatch.setattr(migration.module, "CONTRACTS", named, raising=False)
    assert may_contract(migration) is may

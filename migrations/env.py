"""Entry point of `alembic upgrade head`. PostgreSQL and SQLite share one set of migrations."""

import sqlite3
import sys
from logging.config import fileConfig

from alembic import context
from sqlalchemy import event

from models.db.database import Database, DatabaseUnavailable
from models.schema import metadata
from settings import DATABASE, SettingsError, load_settings

config = context.config


def named_database() -> Database:
    """The database of the attribute `database_url`, which a caller in the same process sets, or of the environment."""
    if own_url := config.attributes.get("database_url"):
        return Database(str(own_url))
    settings = load_settings(uses=DATABASE)
    return Database(settings.database_url, pooler=settings.database_pooler)


def usable_database() -> Database:
    """The database to migrate. Raises `DatabaseUnavailable` unless it takes writes."""
    database = named_database()
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "connect", _let_tables_be_copied)
    database.check()
    return database


def migrate(database: Database) -> None:
    is_sqlite = database.engine.dialect.name == "sqlite"
    with database.transaction() as conn:
        context.configure(connection=conn, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
        if is_sqlite and conn.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError("the migrated rows refer to rows that do not exist")
    database.dispose()


def _let_tables_be_copied(connection: sqlite3.Connection, _record: object) -> None:
    """Turn foreign keys off: Alembic alters a table of SQLite by copying it, while rows of other tables refer to it."""
    connection.execute("PRAGMA foreign_keys=OFF")


if config.config_file_name and not config.attributes.get("database_url"):
    fileConfig(config.config_file_name, disable_existing_loggers=False)
try:
    usable = usable_database()
except SettingsError as error:
    sys.exit(str(error))
except DatabaseUnavailable as error:
    sys.exit(f"The database cannot be migrated ({error}). Look at DATABASE_URL.")
migrate(usable)

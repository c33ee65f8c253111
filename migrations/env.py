"""Entry point of `alembic upgrade head`: the one set of migrations, for PostgreSQL and for SQLite."""

import sqlite3
import sys
from logging.config import fileConfig

from alembic import context
from sqlalchemy import event

from models.database import Database
from models.tables import metadata
from settings import DATABASE, SettingsError, load_settings

config = context.config


def database_url() -> str:
    """A caller in the same process hands its own over; the command line reads the environment."""
    given = config.attributes.get("database_url")
    return str(given) if given else load_settings(uses=DATABASE).database_url


def migrate() -> None:
    database = Database(database_url())
    is_sqlite = database.engine.dialect.name == "sqlite"
    if is_sqlite:
        event.listen(database.engine, "connect", _let_tables_be_copied)
    with database.write() as session:
        context.configure(connection=session, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
        if is_sqlite and session.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise RuntimeError("the migrated rows refer to others that are not there")
    database.dispose()


def _let_tables_be_copied(connection: sqlite3.Connection, _record: object) -> None:
    """SQLite cannot alter most of a table in place. Alembic copies it, and others' rows refer to it meanwhile."""
    connection.execute("PRAGMA foreign_keys=OFF")


if config.config_file_name and not config.attributes.get("database_url"):
    fileConfig(config.config_file_name, disable_existing_loggers=False)
try:
    migrate()
except SettingsError as error:
    sys.exit(str(error))

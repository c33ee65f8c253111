"""Entry point of `alembic upgrade head`: the one set of migrations, for PostgreSQL and for SQLite."""

import sys
from logging.config import fileConfig

from alembic import context

from models.database import Database
from models.tables import metadata
from settings import SettingsError, load_settings

config = context.config


def database_url() -> str:
    """A caller in the same process hands its own over; the command line reads the environment."""
    given = config.attributes.get("database_url")
    return str(given) if given else load_settings().database_url


def migrate() -> None:
    database = Database(database_url())
    with database.write() as session:
        # SQLite cannot alter most of a table in place: Alembic copies it instead.
        context.configure(connection=session, target_metadata=metadata, render_as_batch=True)
        context.run_migrations()
    database.dispose()


if config.config_file_name and not config.attributes.get("database_url"):
    fileConfig(config.config_file_name, disable_existing_loggers=False)
try:
    migrate()
except SettingsError as error:
    sys.exit(str(error))

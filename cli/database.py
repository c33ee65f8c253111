"""The database that a command works on, as the environment names it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Concatenate, ParamSpec

from cli.errors import CommandFailed, InvalidUsage
from models.db.database import Database, DatabaseUnavailable, DatabaseUnusable, ReadOnly
from settings import DATABASE, SettingsError, load_settings

P = ParamSpec("P")


def with_database(command: Callable[Concatenate[Database, P], None]) -> Callable[P, None]:
    """Pass the database to a command as its first argument. Database errors end the command with a message."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with open_database() as database:
            command(database, *args, **kwargs)

    return run


@contextmanager
def open_database() -> Iterator[Database]:
    """The database of DATABASE_URL. Raises `InvalidUsage` for the settings and `CommandFailed` for the database."""
    try:
        settings = load_settings(uses=DATABASE)
        database = Database(settings.database_url, pooler=settings.database_pooler)
    except SettingsError as error:
        raise InvalidUsage(str(error)) from None
    try:
        yield database
    except (DatabaseUnusable, ReadOnly) as error:
        raise CommandFailed(str(error)) from None
    except DatabaseUnavailable:
        raise CommandFailed("The database does not answer, or is not migrated. Look at DATABASE_URL.") from None
    finally:
        database.dispose()

"""The migrated databases of the tests of the models."""

from tests.models.conftest import database, migrated_postgres, migrated_sqlite, postgres, postgres_url, sqlite_url

__all__ = ["database", "migrated_postgres", "migrated_sqlite", "postgres", "postgres_url", "sqlite_url"]

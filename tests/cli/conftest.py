"""Migrated databases, copied from a template, as in the tests of the models."""

from tests.models.conftest import migrated_postgres, migrated_sqlite, postgres_url, sqlite_url

__all__ = ["migrated_postgres", "migrated_sqlite", "postgres_url", "sqlite_url"]

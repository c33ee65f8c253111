"""A migrated database on PostgreSQL, as the tests of the models have it."""

from tests.models.conftest import migrated_postgres, postgres, postgres_url

__all__ = ["migrated_postgres", "postgres", "postgres_url"]

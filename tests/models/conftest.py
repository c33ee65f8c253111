"""A migrated database, on PostgreSQL and on SQLite, and a small cast: the shop publishes, alice and bob receive."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config

from models import delivery, notifications
from models.database import Database
from models.notifications import NewNotification
from models.rendering import Change, Rendered
from tests.support import reading

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def migrate(url: str, revision: str = "head", go: Callable[[Config, str], None] = command.upgrade) -> None:
    config = Config("alembic.ini")
    config.attributes["database_url"] = url
    go(config, revision)


@pytest.fixture(params=["postgres_url", "sqlite_url"])
def empty_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    database = Database(request.getfixturevalue(request.param))
    yield database
    database.dispose()


@pytest.fixture
def database(empty_database: Database) -> Database:
    migrate(empty_database.url)
    return empty_database


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """A migrated one, where writers do not lock each other out."""
    database = Database(postgres_url)
    migrate(postgres_url)
    yield database
    database.dispose()


@pytest.fixture
def accept(database: Database) -> Callable[..., UUID]:
    """Accept one notification from the shop, by keywords."""

    def accept_one(**fields: Any) -> UUID:
        new = NewNotification(**{"producer_id": "shop", "kind": "offer", "title": "New boots", **fields})
        with database.write() as session:
            return notifications.accept(session, [new], NOW)[0]

    return accept_one


@pytest.fixture
def deliver(database: Database) -> Callable[..., list[Change]]:
    def deliver_all(*ids: UUID, now: datetime = NOW) -> list[Change]:
        with database.write() as session:
            return list(delivery.deliver(session, ids, now).changes)

    return deliver_all


@pytest.fixture
def receive(accept: Callable[..., UUID], deliver: Callable[..., list[Change]]) -> Callable[..., list[Change]]:
    """Accept and deliver one notification to these recipients."""

    def receive_one(*recipients: str, **fields: Any) -> list[Change]:
        return deliver(accept(recipients=recipients, **fields))

    return receive_one


@pytest.fixture
def items_of(database: Database) -> Callable[..., list[Rendered]]:
    """Every item of an inbox in a state, newest first."""

    def items(recipient_id: str, state: str | None = "all") -> list[Rendered]:
        with database.read() as session:
            return reading.page(session, recipient_id, state=state, limit=100).items

    return items

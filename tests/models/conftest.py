"""A migrated database, PostgreSQL or SQLite, and steps that tests share: the shop publishes, alice and bob receive."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config

from models.db.database import Database
from models.delivery import deliver as delivery
from models.inbox.rendering import Change, Rendered
from models.notifications import accept as notifications
from models.notifications.accept import NewNotification
from tests.conftest import demand_service
from tests.support import reading
from tests.support.delivered import as_changes
from tests.support.fresh import fresh_database

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def migrate(url: str, revision: str = "head", go: Callable[[Config, str], None] = command.upgrade) -> None:
    config = Config("alembic.ini")
    config.attributes["database_url"] = url
    go(config, revision)


@pytest.fixture(scope="session")
def migrated_postgres() -> Iterator[str]:
    """The name of a database that the migrations made, to be copied."""
    with fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url:
        migrate(url)
        yield urlsplit(url).path.removeprefix("/")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a database that the migrations made, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "belfry.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def postgres_url(migrated_postgres: str) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database, dropped afterwards."""
    with fresh_database(demand_service("BELFRY_POSTGRES_URL"), template=migrated_postgres) as url:
        yield url


@pytest.fixture
def sqlite_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    return f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path)}"


@pytest.fixture(params=["postgres_url", "sqlite_url"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Tests that use this run on PostgreSQL and on SQLite."""
    database = Database(request.getfixturevalue(request.param))
    yield database
    database.dispose()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Database]:
    """For tests in which transactions run side by side: SQLite has one lock for all writers."""
    database = Database(postgres_url)
    yield database
    database.dispose()


@pytest.fixture
def accept(database: Database) -> Callable[..., UUID]:
    """Accept one notification from the shop, by keywords."""

    def accept_one(**fields: Any) -> UUID:
        new = NewNotification(**{"producer_id": "shop", "kind": "offer", "title": "New boots", **fields})
        with database.transaction() as conn:
            return notifications.accept(conn, [new], NOW)[0]

    return accept_one


@pytest.fixture
def deliver(database: Database) -> Callable[..., list[Change]]:
    def deliver_all(*ids: UUID, now: datetime = NOW) -> list[Change]:
        with database.transaction() as conn:
            return as_changes(delivery.deliver(conn, ids, now).items)

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
        with database.snapshot() as conn:
            return reading.page(conn, recipient_id, state=state, limit=100).items

    return items

"""An inbox that somebody holds: who waits for it, and who does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from models import notifications
from models.database import Database, Locked
from models.held import leave_held
from models.inbox import open_inboxes
from models.notifications import RELAY_AFTER, NewNotification
from models.numberline import hold
from models.tables import notifications as table
from tests.models.conftest import NOW


@contextmanager
def held(database: Database, recipient: str) -> Iterator[None]:
    with database.write() as session:
        hold(session, [recipient])
        yield


def accept(database: Database, *recipients: str) -> UUID:
    new = NewNotification(producer_id="shop", kind="offer", title="New boots", recipients=recipients)
    with database.write() as session:
        return notifications.accept(session, [new], NOW)[0]


@pytest.fixture
def inboxes_of_alice_and_bob(postgres: Database) -> None:
    with postgres.write() as session:
        open_inboxes(session, ["alice", "bob"], NOW)


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_who_is_for_other_inboxes_goes_on_in_order(postgres: Database) -> None:
    for_alice, for_both = accept(postgres, "alice"), accept(postgres, "bob", "alice")
    for_new = accept(postgres, "carol")
    with held(postgres, "bob"), postgres.write() as session:
        assert leave_held(session, [for_new, for_both, for_alice], NOW) == [for_new, for_alice]
    with postgres.write() as session:
        assert leave_held(session, [for_both], NOW) == [for_both]


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_who_waits_has_its_next_turn_soon(postgres: Database) -> None:
    id_ = accept(postgres, "bob")
    with postgres.write() as session:
        session.execute(table.update().values(enqueue_at=NOW + timedelta(hours=1)))
    with held(postgres, "bob"), postgres.write() as session:
        leave_held(session, [id_], NOW)
    with postgres.read() as session:
        assert session.scalar(select(table.c.enqueue_at)) == NOW + RELAY_AFTER


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_waiting_for_a_lock_ends(postgres: Database, postgres_url: str) -> None:
    impatient = Database(postgres_url, lock_seconds=0.1)
    try:
        with held(postgres, "bob"), pytest.raises(Locked), impatient.write() as session:
            hold(session, ["bob"])
    finally:
        impatient.dispose()

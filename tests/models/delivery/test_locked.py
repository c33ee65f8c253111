"""An inbox that somebody holds: who waits for it, and who does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from models.db.database import Database, Locked
from models.delivery import deliver, fanout
from models.delivery.locked import locked_of, reschedule
from models.inbox.reading import open_inboxes
from models.inbox.versions import lock_inboxes
from models.notifications import accept as notifications
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER
from models.schema.notifications import notifications as table
from models.subscriptions import subscribe
from tests.models.conftest import NOW


@contextmanager
def held(database: Database, recipient: str) -> Iterator[None]:
    with database.transaction() as conn:
        lock_inboxes(conn, [recipient])
        yield


def accept(database: Database, *recipients: str) -> UUID:
    new = NewNotification(producer_id="shop", kind="offer", title="New boots", recipients=recipients)
    with database.transaction() as conn:
        return notifications.accept(conn, [new], NOW)[0]


def turns(database: Database) -> list[datetime]:
    with database.snapshot() as conn:
        return list(conn.scalars(select(table.c.enqueue_at).order_by(table.c.enqueue_at)))


@pytest.fixture
def inboxes_of_alice_and_bob(postgres: Database) -> None:
    with postgres.transaction() as conn:
        open_inboxes(conn, ["alice", "bob"], NOW)


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_it_is_known_who_is_held_at_the_moment(postgres: Database) -> None:
    with held(postgres, "bob"), postgres.transaction() as conn:
        assert locked_of(conn, ["alice", "bob", "nobody yet"]) == {"bob"}
    with postgres.transaction() as conn:
        assert locked_of(conn, ["alice", "bob"]) == set()


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_who_waits_has_its_next_turn_soon_but_never_later_than_it_would(postgres: Database) -> None:
    ids = accept(postgres, "bob"), accept(postgres, "bob")
    for id_, turn in zip(ids, (RELAY_AFTER * 2, timedelta(0)), strict=True):
        with postgres.transaction() as conn:
            conn.execute(table.update().where(table.c.id == id_).values(enqueue_at=NOW + turn))
    with postgres.transaction() as conn:
        reschedule(conn, ids, NOW)
    assert turns(postgres) == [NOW, NOW + RELAY_AFTER]


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_what_was_delivered_meanwhile_has_no_turn(postgres: Database) -> None:
    id_ = accept(postgres, "bob")
    with postgres.transaction() as conn:
        conn.execute(table.update().values(expires_at=NOW + timedelta(days=1)))
        deliver.deliver(conn, [id_], NOW)
        reschedule(conn, [id_], NOW)
    assert turns(postgres) == [NOW + timedelta(days=1)]


def test_who_is_named_does_not_wait_for_what_is_fanned_out_beside_it(postgres: Database, postgres_url: str) -> None:
    impatient = Database(postgres_url, lock_seconds=0.2)
    with postgres.transaction() as conn:
        subscribe(conn, "boots", ["alice", "carol"], NOW)
        new = NewNotification("shop", "offer", "New boots", topic="boots")
        [wide] = notifications.accept(conn, [new], NOW)
    named = accept(postgres, "bob")
    with postgres.transaction() as conn:
        fanout.fan_out(conn, wide, 1, NOW)
        with impatient.autocommit_write() as other:
            delivered = deliver.deliver(other, [wide, named], NOW)
    assert (delivered.items.recipients, delivered.broadcasts) == (["bob"], [wide])
    impatient.dispose()


@pytest.mark.usefixtures("inboxes_of_alice_and_bob")
def test_waiting_for_a_lock_ends(postgres: Database, postgres_url: str) -> None:
    impatient = Database(postgres_url, lock_seconds=0.1)
    try:
        with held(postgres, "bob"), pytest.raises(Locked), impatient.transaction() as conn:
            lock_inboxes(conn, ["bob"])
    finally:
        impatient.dispose()

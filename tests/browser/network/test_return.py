"""A client that comes back: to an inbox with more changes, or to one that was restored from a backup."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, update

from dev.stack import Stack
from models.db.database import Database
from models.schema.inbox import epoch, inbox_items, inboxes
from tests.browser.conftest import OpenPage
from tests.browser.support.pane import Pane
from tests.support.stack import token_for


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    """The stack's database, for an operator's changes."""
    database = Database(stack.environ["DATABASE_URL"])
    yield database
    database.dispose()


def test_bob_who_was_offline_is_caught_up_in_order_when_he_comes_back(
    side_by_side: tuple[Pane, Pane], open_page: OpenPage, bob: str
) -> None:
    alices, bobs = side_by_side
    alices.write(bob, "before")
    bobs.expect_bodies("before")
    bobs.take_laptop("Go offline")
    bobs.expect_offline()
    bobs_phone = Pane(open_page(token_for(bob)))
    for number, text in enumerate(["first", "second", "third"], start=2):
        alices.write(bob, text)
        expect(bobs_phone.items).to_have_count(number)
    bobs.expect_bodies("before")
    bobs.take_laptop("Come back")
    bobs.expect_online()
    bobs.expect_bodies("third", "second", "first", "before")
    bobs.expect_unread(4)


def test_a_push_server_that_dies_is_found_again_with_what_was_missed(
    side_by_side: tuple[Pane, Pane], stack: Stack, bob: str
) -> None:
    alices, bobs = side_by_side
    stack["push"].kill()
    expect(bobs.status).to_have_text("No live connection; looking every few seconds")
    alices.write(bob, "while it was down")
    bobs.expect_bodies("while it was down")
    stack["push"].start()
    expect(bobs.status).to_have_text("Online", timeout=60_000)
    alices.write(bob, "after it was back")
    bobs.expect_bodies("after it was back", "while it was down")


def test_bob_away_for_longer_than_changes_are_kept_loads_his_inbox_anew(
    side_by_side: tuple[Pane, Pane], open_page: OpenPage, database: Database, bob: str
) -> None:
    alices, bobs = side_by_side
    alices.write(bob, "before")
    bobs.expect_bodies("before")
    bobs.take_laptop("Go offline")
    bobs_phone = Pane(open_page(token_for(bob)))
    alices.write(bob, "meanwhile")
    bobs_phone.expect_bodies("meanwhile", "before")
    with database.transaction() as conn:
        forgotten = update(inboxes).where(inboxes.c.recipient_id == bob)
        conn.execute(forgotten.values(changes_since=inboxes.c.version))
    bobs.take_laptop("Come back")
    bobs.expect_bodies("meanwhile", "before")
    bobs.expect_unread(2)


def test_a_server_restored_from_a_backup_replaces_what_the_page_held(
    side_by_side: tuple[Pane, Pane], open_page: OpenPage, database: Database, bob: str
) -> None:
    alices, bobs = side_by_side
    for text in ("in the backup", "after the backup"):
        alices.write(bob, text)
        expect(bobs.item(text)).to_be_visible()
    bobs.take_laptop("Go offline")
    with database.transaction() as conn:
        conn.execute(update(epoch).values(epoch=uuid4()))
        conn.execute(update(inboxes).where(inboxes.c.recipient_id == bob).values(version=1, unread=1, unseen=1))
        conn.execute(delete(inbox_items).where(inbox_items.c.recipient_id == bob, inbox_items.c.seq > 1))
    alices.write(bob, "after the restore")
    Pane(open_page(token_for(bob))).expect_bodies("after the restore", "in the backup")
    bobs.take_laptop("Come back")
    bobs.expect_bodies("after the restore", "in the backup")
    bobs.expect_unread(2)

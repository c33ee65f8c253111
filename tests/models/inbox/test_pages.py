"""A page of an inbox and its counts are read by one statement, in no transaction."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from models.db.database import Database
from models.inbox import reading as inbox
from models.inbox.rendering import Change
from tests.models.conftest import NOW
from tests.support import reading

ARRIVALS = 80


def page(database: Database, **asked: object) -> reading.Page:
    with database.autocommit() as conn:
        return reading.page(conn, "bob", **{"limit": 100, **asked})  # type: ignore[arg-type]


def test_a_page_and_its_counts_are_of_one_moment(database: Database, receive: Callable[..., list[Change]]) -> None:
    receive("bob")

    def keep_arriving() -> None:
        for _ in range(ARRIVALS):
            receive("bob")

    seen = set()
    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(keep_arriving)
        while not writer.done():
            found = page(database)
            counts = found.summary
            assert len(found.items) == counts.unread == counts.unseen == counts.version == found.items[0]["version"]
            seen.add(counts.version)
    writer.result()
    assert len(seen) > 3, "read while it was written"


def test_an_empty_page_still_has_the_counts(database: Database, receive: Callable[..., list[Change]]) -> None:
    assert page(database).summary.version == 0
    with database.transaction() as conn:
        inbox.open_inbox(conn, "bob", NOW)
    assert (page(database).items, page(database).next_before) == ([], None)
    receive("bob")
    for nothing in ({"state": "archived"}, {"kind": "other"}, {"before": 1}):
        found = page(database, **nothing)
        assert (found.items, found.next_before, found.summary.unread) == ([], None, 1)


def test_autocommit_leaves_no_transaction_and_the_next_reads_what_was_written_since(
    database: Database, receive: Callable[..., list[Change]]
) -> None:
    for n in range(1, 4):
        receive("bob")
        assert page(database).summary.version == n
        with database.snapshot() as conn:
            assert inbox.current_summary(conn, "bob").version == n

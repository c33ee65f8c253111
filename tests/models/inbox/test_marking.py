"""States, counts and versions move together, in one transaction, for one owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from models.db.database import Database
from models.inbox import marking
from models.inbox import reading as inbox
from models.inbox.marking import Marked, Selection
from models.inbox.reading import ResyncRequired, Summary
from models.inbox.rendering import Change, Rendered
from tests.models.conftest import NOW
from tests.support import reading

Deliver = Callable[..., list[Change]]
Items = Callable[..., list[Rendered]]


@pytest.fixture
def three(receive: Deliver) -> None:
    """bob has three items."""
    for n in (1, 2, 3):
        receive("bob", title=str(n), kind="offer" if n != 2 else "follow")


def set_state(database: Database, seq: int, owner: str = "bob", **state: bool) -> list[int] | None:
    with database.transaction() as conn:
        return marking.set_state(conn, owner, seq, now=NOW, **state)


def mark(database: Database, change: str, which: Selection, owner: str = "bob") -> Marked:
    with database.transaction() as conn:
        return marking.mark(conn, owner, change, which, now=NOW)


def summary(database: Database, owner: str = "bob") -> Summary:
    with database.snapshot() as conn:
        return inbox.current_summary(conn, owner)


def counts(database: Database) -> tuple[int, int, int]:
    now = summary(database)
    return now.version, now.unread, now.unseen


@pytest.mark.usefixtures("three")
def test_reading_takes_one_version_and_implies_seen(database: Database, items_of: Items) -> None:
    assert set_state(database, 2, read=True) == [4]
    assert counts(database) == (4, 2, 2)
    item = items_of("bob")[1]
    assert (item["version"], item["read_at"], item["seen_at"]) == (4, item["seen_at"], item["read_at"])
    assert item["read_at"] is not None


@pytest.mark.usefixtures("three")
def test_what_is_so_already_takes_no_version(database: Database) -> None:
    set_state(database, 2, read=True)
    assert set_state(database, 2, read=True, seen=True) == []
    assert mark(database, "read", Selection(seqs=[2])).version is None
    assert counts(database) == (4, 2, 2)


@pytest.mark.usefixtures("three")
def test_unread_again_counts_again_and_leaves_it_seen(database: Database) -> None:
    set_state(database, 2, read=True)
    assert set_state(database, 2, read=False) == [5]
    assert counts(database) == (5, 3, 2)


@pytest.mark.usefixtures("three")
def test_archiving_implies_read_and_the_default_list_hides_it(database: Database, items_of: Items) -> None:
    set_state(database, 2, archived=True)
    assert counts(database) == (4, 2, 2)
    assert [item["seq"] for item in items_of("bob", None)] == [3, 1]
    assert [item["seq"] for item in items_of("bob", "archived")] == [2]
    assert [item["seq"] for item in items_of("bob", "all")] == [3, 2, 1]
    set_state(database, 2, archived=False)
    assert [item["seq"] for item in items_of("bob", "read")] == [2]


@pytest.mark.usefixtures("three")
def test_mark_all_is_one_change_and_leaves_alone_what_came_later(
    database: Database, receive: Deliver, items_of: Items
) -> None:
    receive("bob", title="came later")
    assert mark(database, "read", Selection(through=3)).changed == 3
    assert counts(database) == (5, 1, 1)
    assert [item["title"] for item in items_of("bob", "unread")] == ["came later"]


@pytest.mark.usefixtures("three")
def test_marking_can_be_narrowed_to_a_kind(database: Database, items_of: Items) -> None:
    assert mark(database, "read", Selection(through=3, kind="follow")).changed == 1
    assert [item["seq"] for item in items_of("bob", "unread")] == [3, 1]
    with database.snapshot() as conn:
        [change] = reading.changes(conn, "bob", 3, 10).changes
    assert (change["through"], change["kind"], change["seqs"]) == (2, "follow", None)


@pytest.mark.usefixtures("three")
def test_a_deleted_item_leaves_the_list_and_the_counts(database: Database, items_of: Items) -> None:
    with database.transaction() as conn:
        assert marking.delete_item(conn, "bob", 2, now=NOW) == 4
        assert marking.delete_item(conn, "bob", 2, now=NOW) is None
    assert counts(database) == (4, 2, 2)
    assert [item["seq"] for item in items_of("bob")] == [3, 1]


@pytest.mark.usefixtures("three")
def test_nobody_reaches_into_anothers_inbox(database: Database, receive: Deliver) -> None:
    receive("alice")
    assert set_state(database, 3, owner="alice", read=True) is None
    assert mark(database, "read", Selection(seqs=[2, 3]), owner="alice").changed == 0
    assert mark(database, "read", Selection(through=3), owner="alice").changed == 1
    with database.snapshot() as conn:
        assert inbox.item(conn, "alice", 3) is None
    assert counts(database) == (3, 3, 3)


@pytest.mark.usefixtures("three")
def test_changes_lead_from_any_version_to_the_present(database: Database) -> None:
    set_state(database, 1, read=True)
    with database.transaction() as conn:
        marking.delete_item(conn, "bob", 3, now=NOW)
    with database.snapshot() as conn:
        all_of_it = reading.changes(conn, "bob", 0, 10)
        pages = [reading.changes(conn, "bob", since, 1) for since in (2, 4)]
    told = [(change["version"], change["change"]) for change in all_of_it.changes]
    assert told == [(1, "added"), (2, "added"), (4, "read"), (5, "deleted")]
    assert (all_of_it.version, all_of_it.more) == (5, False)
    assert [(page.version, page.more) for page in pages] == [(4, True), (5, False)]


@pytest.mark.usefixtures("three")
def test_a_version_from_another_history_must_load_anew(database: Database) -> None:
    with database.snapshot() as conn, pytest.raises(ResyncRequired):
        reading.changes(conn, "bob", 4, 10)


@pytest.mark.usefixtures("three")
def test_a_change_remembers_the_counts_of_its_own_version(database: Database) -> None:
    set_state(database, 1, read=True)
    set_state(database, 2, read=True)
    with database.snapshot() as conn:
        told = inbox.change_log(conn, "bob", [4, 5])
    assert [(change.rendered["version"], change.unread) for change in told] == [(4, 2), (5, 1)]


def test_a_page_begins_where_the_last_one_ended(database: Database, receive: Deliver) -> None:
    for _ in range(5):
        receive("bob")
    seqs, before = [], None
    with database.snapshot() as conn:
        while True:
            page = reading.page(conn, "bob", before=before, limit=2)
            seqs.append([item["seq"] for item in page.items])
            before = page.next_before
            if before is None:
                break
    assert seqs == [[5, 4], [3, 2], [1]]


def test_eight_writers_on_one_inbox_leave_no_gap_and_exact_counts(
    database: Database, receive: Deliver, items_of: Items
) -> None:
    receive("bob")

    def write(turn: int) -> None:
        if turn % 2:
            receive("bob")
        else:
            mark(database, "read", Selection(through=turn))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(80)))
    now = summary(database)
    with database.snapshot() as conn:
        log = reading.changes(conn, "bob", 0, 1000)
    assert [change["version"] for change in log.changes] == list(range(1, now.version + 1))
    assert now.unread == len(items_of("bob", "unread"))


def test_marking_an_inbox_that_another_opens_at_the_same_moment_counts_right(
    database: Database, accept: Callable[..., UUID], deliver: Deliver, items_of: Items
) -> None:
    for turn in range(20):
        newcomer = f"newcomer {turn}"
        ids = [accept(recipients=(newcomer,)) for _ in range(3)]
        with ThreadPoolExecutor(4) as pool:
            marked = pool.submit(mark, database, "read", Selection(through=10), newcomer)
            list(pool.map(deliver, ids))
            marked.result()
        assert summary(database, newcomer).unread == len(items_of(newcomer, "unread"))

"""Every query reads about as many rows as it is about, however many there are: a large PostgreSQL's plans say so.

One recipient has a million items, of which the newer half is archived; a hundred thousand others have a few. What a
plan does is counted, never timed.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import psycopg
import pytest

from bench.dataset import END, HEAVY, HEAVY_CHANGES, PRODUCER, Mixture, fill
from models import retention
from models.db.database import Connection, Database
from models.delivery import batch_order, deliver, fanout, withdraw
from models.inbox import marking, recount
from models.inbox import reading as inbox
from models.inbox.marking import Selection
from models.notifications import accept, cancel, published, receipts, relay
from models.notifications.ids import first_id
from models.retention import Retention
from models.schema.inbox import inboxes
from tests.conftest import demand_service
from tests.models.conftest import migrate
from tests.models.plans import Look, look
from tests.support import reading
from tests.support.fresh import fresh_database

pytestmark = pytest.mark.slow

ITEMS = 1_000_000
OTHERS = 100_000
VERSION = ITEMS + HEAVY_CHANGES
STATES = """CASE WHEN seq > 500000 THEN 'archived' WHEN mod(seq, 25) = 0 THEN 'unseen'
    WHEN mod(seq, 25) = 5 THEN 'seen' WHEN mod(seq, 25) = 10 THEN 'read' ELSE 'archived' END"""
UNSEEN = range(125, 500_000, 25)
LISTS = (None, "unread", "read", "archived", "all")
FILTERS = {"kind": "kind5", "topic": "topic5", "severity": "high", "actor": "actor5"}

# Of the notifications: the first went to everyone and is its producer's only one, the next 100 are withdrawn; a hundred
# others are in many inboxes as well, as far as their rows say. The last 100,000 have a next step, for most of them a
# year away.
SMALL_PRODUCER = "small"
AFTERWARDS = (
    "UPDATE notifications SET producer_id = 'small' WHERE id IN (SELECT id FROM notifications ORDER BY id LIMIT 1)",
    "UPDATE notifications SET withdrawn_at = created_at"
    " WHERE id IN (SELECT id FROM notifications ORDER BY id OFFSET 1 LIMIT 100)",
    "UPDATE notifications SET recipient_count = 100000"
    " WHERE id IN (SELECT id FROM notifications ORDER BY id LIMIT 1)"
    " OR id IN (SELECT id FROM notifications ORDER BY id OFFSET 300000 LIMIT 99)",
    "DELETE FROM inbox_items USING notifications WHERE id = notification_id AND withdrawn_at IS NOT NULL",
    "UPDATE notifications SET enqueue_at = created_at + CASE WHEN nth % 2000 = 0 THEN '0 s' ELSE '1 year' END::interval"
    " FROM (SELECT id AS last, row_number() OVER () nth FROM notifications ORDER BY id DESC LIMIT 100000) t"
    " WHERE id = last",
    "INSERT INTO subscriptions (topic, recipient_id, created_at)"
    " SELECT 'topic' || mod(n, 20), recipient_id, now() FROM"
    " (SELECT recipient_id, row_number() OVER (ORDER BY recipient_id) n FROM inboxes) t",
    "VACUUM (ANALYZE) notifications, inbox_items, subscriptions",
)

SMALL = ("epoch", "fanouts")  # one row, and some for each fan-out that is under way
PAGE = 20
TIMES = 3  # how many rows may be read for each that is wanted: a merge reads one more of each range
ROWS_BESIDE = 2  # the inbox's own row, and the page's first of the next one
PAGES_A_ROW = 12  # down an index and to the table, twice: for the item, and for its notification; and past the dead
PAGES_BESIDE = 30

Query = Callable[[Connection], object]


@pytest.fixture(scope="session")
def crowd() -> Iterator[Database]:
    with fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url:
        database = Database(url.replace("postgresql:", "postgresql+psycopg:", 1))
        migrate(database.url)
        fill(url, Mixture(ITEMS, STATES, OTHERS, items_each=4))
        with psycopg.connect(url, autocommit=True) as connection:
            for statement in AFTERWARDS:
                connection.execute(statement.encode())
        yield database
        database.dispose()


def page(**options: Any) -> Query:
    return lambda conn: reading.page(conn, HEAVY, **{"limit": PAGE, **options})


def changes(since: int) -> Query:
    return lambda conn: reading.changes(conn, HEAVY, since, limit=100)


def mark(change: str, **which: Any) -> Query:
    return lambda conn: marking.mark(conn, HEAVY, change, Selection(**which), now=END)


def patch(seq: int, **state: bool) -> Query:
    return lambda conn: marking.set_state(conn, HEAVY, seq, now=END, **state)


def produced(producer: str = PRODUCER, **options: Any) -> Query:
    return lambda conn: published.page(conn, producer, now=END, **{"limit": PAGE, **options})


def expect_few_rows(looks: list[Look], rows: int) -> None:
    """No statement reads much more than `rows` of a table, sorts more than it needs, or scans a whole table."""
    assert looks
    for one in looks:
        large = [scan for scan in one.scans if scan["Relation Name"] not in SMALL]
        whole = [scan for scan in large if scan["Node Type"] == "Seq Scan"]
        assert not whole, one
        assert one.rows_read <= TIMES * rows + ROWS_BESIDE, one
        assert one.rows_sorted <= TIMES * rows + ROWS_BESIDE, one
        assert one.pages_read <= PAGES_A_ROW * max(rows, one.rows_read) + PAGES_BESIDE, one


@pytest.mark.parametrize("state", LISTS)
@pytest.mark.parametrize("before", [None, 100_000], ids=["newest", "deep"])
def test_a_list(crowd: Database, state: str | None, before: int | None) -> None:
    expect_few_rows(look(crowd, page(state=state, before=before)), PAGE)


@pytest.mark.parametrize("state", LISTS)
@pytest.mark.parametrize("filtered", FILTERS)
def test_a_list_with_one_filter(crowd: Database, state: str | None, filtered: str) -> None:
    expect_few_rows(look(crowd, page(state=state, **{filtered: FILTERS[filtered]})), PAGE)
    expect_few_rows(look(crowd, page(state=state, before=100_000, **{filtered: FILTERS[filtered]})), PAGE)


@pytest.mark.parametrize("filtered", FILTERS)
def test_a_filter_that_nothing_fits(crowd: Database, filtered: str) -> None:
    nothing = "low" if filtered == "severity" else "nothing"  # of the others' few items some are
    owner = "other4" if filtered == "severity" else HEAVY
    fits: dict[str, Any] = {filtered: nothing}
    expect_few_rows(look(crowd, lambda conn: reading.page(conn, owner, limit=PAGE, **fits)), 4)


def test_a_hundred_items(crowd: Database) -> None:
    expect_few_rows(look(crowd, page(limit=100)), 100)


@pytest.mark.parametrize("since", [VERSION, VERSION - 20, ITEMS - 50, 5], ids=["none", "20", "mixed", "a page"])
def test_changes(crowd: Database, since: int) -> None:
    expect_few_rows(look(crowd, changes(since)), min(VERSION - since, 100))


def test_the_changes_that_are_announced(crowd: Database) -> None:
    few = [VERSION - 700, VERSION - 1, VERSION]
    expect_few_rows(look(crowd, lambda conn: inbox.change_log(conn, HEAVY, few)), len(few))


@pytest.mark.parametrize("query", [inbox.current_summary, lambda conn, owner: inbox.item(conn, owner, 125)])
def test_the_summary_and_one_item(crowd: Database, query: Callable[[Connection, str], object]) -> None:
    expect_few_rows(look(crowd, lambda conn: query(conn, HEAVY)), 1)


@pytest.mark.parametrize(
    "query",
    [patch(125, read=True), patch(125, seen=True), patch(125, archived=True), patch(135, read=False)],
    ids=["read", "seen", "archived", "unread"],
)
def test_one_item_changes_its_state(crowd: Database, query: Query) -> None:
    looks = look(crowd, query)
    expect_few_rows(looks, 1)
    assert any(one.statement.startswith("UPDATE inbox_items") for one in looks)


def test_one_item_is_deleted(crowd: Database) -> None:
    expect_few_rows(look(crowd, lambda conn: marking.delete_item(conn, HEAVY, 125, now=END)), 1)


@pytest.mark.parametrize("change", ["seen", "read", "archived"])
def test_named_items_change_their_state(crowd: Database, change: str) -> None:
    named = [*UNSEEN[:10], *UNSEEN[-10:]]
    expect_few_rows(look(crowd, mark(change, seqs=named)), len(named))


@pytest.mark.parametrize("change", ["seen", "read", "archived"])
@pytest.mark.parametrize("narrowed", [{}, {"kind": "kind5"}, {"topic": "topic0"}], ids=["all", "kind", "topic"])
def test_all_up_to_one_change_their_state(crowd: Database, change: str, narrowed: dict[str, Any]) -> None:
    through = 10_000 if "topic" in narrowed else 1_000
    with crowd.transaction() as conn:
        marked = marking.mark(conn, HEAVY, change, Selection(through=through, **narrowed), now=END)
        conn.rollback()
    assert marked.changed >= 10
    expect_few_rows(look(crowd, mark(change, through=through, **narrowed)), marked.changed)


@pytest.mark.parametrize("options", [{}, {"kind": "kind5"}, {"status": "delivered"}], ids=["all", "kind", "status"])
@pytest.mark.parametrize("depth", ["newest", "since", "until", "deep"])
def test_a_page_of_a_producers_history(crowd: Database, depth: str, options: dict[str, str]) -> None:
    days = timedelta(days=1)
    place: dict[str, dict[str, Any]] = {
        "newest": {},
        "since": {"since": END - 9 * days},
        "until": {"until": END - 9 * days},
        "deep": {"before": first_id(END - 9 * days)},
    }
    one_in = 10 if "kind" in options else 1  # by kind it is filtered on the way
    expect_few_rows(look(crowd, produced(**place[depth], **options)), one_in * PAGE)


@pytest.mark.parametrize("options", [{"recipient": "other4"}, {"recipient": HEAVY}, {"kind": "nothing"}])
def test_a_page_of_a_producers_history_that_nothing_fits(crowd: Database, options: dict[str, str]) -> None:
    expect_few_rows(look(crowd, produced(**options)), published.SCANNED_AT_MOST)


def test_a_page_of_a_small_producers_history_beside_a_large_one(crowd: Database) -> None:
    looks = look(crowd, produced(SMALL_PRODUCER))
    expect_few_rows(looks, 1)
    assert looks[0].plan["Actual Rows"] == 1


def test_one_of_a_producers_notifications_that_a_hundred_thousand_have(crowd: Database) -> None:
    with crowd.snapshot() as conn:
        id_ = first_notification(conn)
    expect_few_rows(look(crowd, lambda conn: published.one(conn, SMALL_PRODUCER, id_, END)), 1)


def test_who_saw_and_read_it_is_counted_by_upkeep_reading_each_inbox_that_has_it_once(crowd: Database) -> None:
    looks = look(crowd, lambda conn: receipts.count(conn, first_notification(conn), END))
    assert looks[-1].rows_read == looks[-1].plan["Plans"][0]["Actual Rows"] == OTHERS + 1
    expect_few_rows(look(crowd, lambda conn: receipts.due(conn, END)), 100)


def test_the_relays_turn(crowd: Database) -> None:
    expect_few_rows(look(crowd, lambda conn: relay.due(conn, END, 5_000)), 50)
    expect_few_rows(look(crowd, lambda conn: relay.undelivered(conn, END)), 0)


def test_a_notification_is_cancelled_and_taken_out_of_many_inboxes(crowd: Database) -> None:
    def recall(conn: Connection) -> None:
        cancel.cancel(conn, SMALL_PRODUCER, first_notification(conn), END)
        for _ in range(3):
            assert len(withdraw.withdraw(conn, first_notification(conn), 100, END).changes) == 100

    looks = look(crowd, recall)
    [_the_last_count] = [one for one in looks if one.rows_read > OTHERS]
    expect_few_rows([one for one in looks if one.rows_read <= OTHERS], 100)


def first_notification(conn: Connection) -> UUID:
    [of_small] = published.page(conn, SMALL_PRODUCER, now=END, limit=1).notifications
    return UUID(of_small["id"])


def test_what_is_old_is_forgotten_batch_by_batch(crowd: Database) -> None:
    old = Retention(timedelta(seconds=ITEMS - 1_000), timedelta(seconds=HEAVY_CHANGES - 500))
    for step in (retention.expire_old, retention.delete_old, retention.forget_changes):
        looks = look(crowd, partial(step, retention=old, now=END, size=50))
        expect_few_rows(looks, 50)
        assert looks[0].plan["Actual Rows"] == 50


def test_what_was_made_to_expire_is_not_read_again_before_it_is_withdrawn(crowd: Database) -> None:
    old = Retention(timedelta(seconds=ITEMS - 10_000), timedelta(days=1))

    def expire_again_and_again(conn: Connection) -> None:
        for _ in range(20):
            assert retention.expire_old(conn, old, END, 50) == 50

    expect_few_rows(look(crowd, expire_again_and_again), 50)


def test_a_batch_of_inboxes_is_recounted(crowd: Database) -> None:
    """The heavy one is not among them: its unread items are counted one by one, the only way."""
    query = recount._counted().where(inboxes.c.recipient_id > "other").limit(100)
    expect_few_rows(look(crowd, lambda conn: conn.execute(query).all()), 2 * 100)


def accepted(database: Database, **fields: Any) -> list[UUID]:
    new = [accept.NewNotification(PRODUCER, "offer", str(n), **fields) for n in range(20)]
    with database.transaction() as conn:
        return accept.accept(conn, new, END)


def test_a_batch_is_delivered(crowd: Database) -> None:
    ids = accepted(crowd, recipients=("other4", "other5", "never heard of"))
    looks = look(crowd, lambda conn: deliver.deliver(conn, ids, END))
    assert len(looks) == 1
    expect_few_rows(looks, len(ids) * 3)


def test_what_was_posted_as_a_batch_is_delivered_in_its_order(crowd: Database) -> None:
    ids = accepted(crowd, recipients=("other4", "other5", "never heard of"), batch="a digest")
    looks = look(crowd, lambda conn: deliver.deliver(conn, ids, END))
    expect_few_rows(looks, len(ids) * 3)
    looks = look(crowd, lambda conn: deliver.deliver(conn, ids[1:], END))
    assert "ix_notifications_batch" in {scan.get("Index Name") for scan in looks[-1].scans}
    expect_few_rows(looks, len(ids) * 3)


def test_what_waits_before_others_in_a_batch_is_found_by_the_batch(crowd: Database) -> None:
    ids = accepted(crowd, recipients=("other4",), batch="a digest")
    wide = accepted(crowd, topic="topic5", batch="a digest")
    for one in (
        lambda conn: batch_order.order_of(conn, [*ids[5:], *wide], END),
        lambda conn: batch_order.next_of(conn, [ids[0], wide[0]], END),
    ):
        looks = look(crowd, one)
        scans = [scan for one_look in looks for scan in one_look.scans if scan["Relation Name"] == "notifications"]
        indexes = {scan["Index Name"] for scan in scans}
        assert "ix_notifications_batch" in indexes
        assert indexes <= {"ix_notifications_batch", "pk_notifications"}  # the latter for ids that are given
        expect_few_rows(looks, len(ids) * 2)


@pytest.mark.parametrize("whom", [{"everyone": True}, {"topic": "topic5"}], ids=["everyone", "topic"])
def test_a_fan_out_goes_on_where_it_was(crowd: Database, whom: dict[str, Any]) -> None:
    """Where it begins, it looks at its whole audience to cut it into parts; never again."""
    id_ = accepted(crowd, **whom)[0]
    with crowd.transaction() as conn:
        fanout.fan_out(conn, id_, 100, END)
    expect_few_rows(look(crowd, lambda conn: fanout.fan_out(conn, id_, 100, END)), 100)

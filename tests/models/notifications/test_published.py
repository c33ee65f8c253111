"""What a producer published: the filters, page by page; and the numbers of one notification."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from itertools import chain, combinations_with_replacement, product
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.db.database import Database
from models.delivery import deliver as delivery
from models.delivery import fanout
from models.delivery import withdraw as withdrawal
from models.inbox import marking
from models.inbox import reading as inbox
from models.inbox.rendering import Rendered
from models.notifications import accept, cancel, published
from models.notifications.accept import NewNotification
from models.subscriptions import subscribe
from tests.models.conftest import NOW
from tests.support import reading

A_MINUTE = timedelta(minutes=1)
LATER = NOW + 20 * A_MINUTE
TARGETS: tuple[dict[str, Any], ...] = (
    {"recipients": ("bob",)},
    {"recipients": ("alice", "carol")},
    {"topic": "boots"},  # alice's and bob's
    {"everyone": True},
    {"recipients": ("bob", "alice"), "deliver_at": NOW + 60 * A_MINUTE},
)
KINDS = ("offer", "order")


@pytest.fixture
def publications(database: Database) -> list[Rendered]:
    """A minute apart, each target in each kind, and a rival's among them. Oldest first, as their producer sees them.

    All is delivered that is due, except the last two, which wait; the first two are cancelled.
    """
    with database.transaction() as conn:
        inbox.open_inboxes(conn, ["alice", "bob", "carol"], NOW)
        subscribe(conn, "boots", ["alice", "bob"], NOW)
    ids = []
    for minute, (kind, target) in enumerate(product(KINDS, TARGETS)):
        new = [NewNotification(**{"producer_id": who, "kind": kind, "title": "t", **target}) for who in ("shop", "rio")]
        with database.transaction() as conn:
            ids.append(accept.accept(conn, new, NOW + minute * A_MINUTE)[0])
    for id_ in ids[:-2]:
        deliver(database, id_)
    for id_ in ids[:2]:
        withdraw(database, id_)
    with database.snapshot() as conn:
        found = [published.one(conn, "shop", id_, LATER) for id_ in ids]
    return [one for one in found if one is not None]


def deliver(database: Database, id_: UUID) -> None:
    with database.transaction() as conn:
        for wide in delivery.deliver(conn, [id_], LATER).broadcasts:
            fanout.fan_out(conn, wide, 10, LATER)


def withdraw(database: Database, id_: UUID) -> None:
    with database.transaction() as conn:
        cancel.cancel(conn, "shop", id_, LATER)
        withdrawal.withdraw(conn, id_, 10, LATER)


def pages(database: Database, **asked: Any) -> Iterator[list[str]]:
    before, first = None, True
    while first or before is not None:
        with database.snapshot() as conn:
            page = published.page(conn, "shop", now=LATER, before=before, **{"limit": 2, **asked})
        yield [one["id"] for one in page.notifications]
        before, first = page.next_before, False


def has_status(status: str, one: Rendered) -> bool:
    return bool(one["status"] == status)


def test_the_pages_of_any_two_filters_show_what_fits_newest_first_each_once(
    database: Database, publications: list[Rendered]
) -> None:
    assert len(publications) == len(KINDS) * len(TARGETS)
    not_bobs = {publications[n]["id"] for n in (1, 6, 8)}  # for others; and for everyone, but in no inbox yet
    since, until = (f"2026-11-22T12:0{minute}:00.000000Z" for minute in (2, 7))
    tests: dict[str, list[tuple[Any, Callable[[Rendered], bool]]]] = {
        "kind": [("order", lambda one: one["kind"] == "order")],
        "topic": [("boots", lambda one: one["topic"] == "boots")],
        "recipient": [("bob", lambda one: one["id"] not in not_bobs)],
        "status": [(one, partial(has_status, one)) for one in ("accepted", "delivered", "scheduled", "cancelled")],
        "since": [(NOW + 2 * A_MINUTE, lambda one: one["created_at"] >= since)],
        "until": [(NOW + 7 * A_MINUTE, lambda one: one["created_at"] < until)],
    }
    choices = [(name, *choice) for name, some in tests.items() for choice in some]
    for one, other in combinations_with_replacement(choices, 2):
        asked = {one[0]: one[1], other[0]: other[1]}
        fitting = [it["id"] for it in reversed(publications) if (one[2](it) or one[0] == other[0]) and other[2](it)]
        assert list(chain(*pages(database, **asked))) == fitting, asked


def test_a_page_looks_no_further_than_a_bound_and_the_next_one_goes_on_there(
    database: Database, publications: list[Rendered], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "SCANNED_AT_MOST", 4)
    offers = [one["id"] for one in reversed(publications) if one["kind"] == "offer"]
    assert list(pages(database, kind="offer", limit=10)) == [[], offers[:3], offers[3:]]
    assert list(pages(database, kind="offer", limit=2)) == [[], offers[:2], offers[2:4], offers[4:]]
    assert list(pages(database, kind="nothing")) == [[], [], []]


def test_who_deleted_it_or_lost_it_to_a_recall_is_still_whom_it_named(
    database: Database, publications: list[Rendered]
) -> None:
    with database.transaction() as conn:
        for item in reading.page(conn, "bob", state="all", limit=100).items:
            marking.delete_item(conn, "bob", item["seq"], now=LATER)
    named = [
        one["id"] for n, one in enumerate(publications) if "bob" in TARGETS[n % len(TARGETS)].get("recipients", ())
    ]
    assert list(chain(*pages(database, recipient="bob"))) == named[::-1]


def test_one_counts_whom_it_reached_and_who_has_seen_and_read_it(
    database: Database, publications: list[Rendered]
) -> None:
    to_topic, to_all, scheduled = publications[2:5]
    with database.transaction() as conn:
        marking.mark(conn, "alice", "seen", marking.Selection(through=100), now=LATER)
        marking.mark(conn, "bob", "read", marking.Selection(through=100), now=LATER)
    assert numbers(database, to_topic) == ("delivered", 2, 2, 2, 1)
    assert numbers(database, to_all) == ("delivered", 3, 3, 2, 1)
    assert numbers(database, scheduled) == ("scheduled", 2, 0, 0, 0)
    assert numbers(database, publications[8]) == ("accepted", None, 0, 0, 0)  # nobody knows how many "everyone" will be


def test_what_is_accepted_at_one_moment_is_told_in_the_order_in_which_it_was(database: Database) -> None:
    ids = []
    for _ in range(30):
        with database.transaction() as conn:
            ids += accept.accept(conn, [NewNotification("shop", "offer", "t", recipients=("bob",))], NOW)
    assert ids == sorted(ids)
    assert list(chain(*pages(database))) == [str(id_) for id_ in reversed(ids)]


def test_anothers_is_none(database: Database, publications: list[Rendered]) -> None:
    with database.snapshot() as conn:
        for producer, id_ in (("rio", UUID(publications[0]["id"])), ("shop", uuid4())):
            assert published.one(conn, producer, id_, LATER) is None


def numbers(database: Database, one: Rendered) -> tuple[object, ...]:
    with database.snapshot() as conn:
        found = published.one(conn, "shop", UUID(one["id"]), LATER)
    assert found is not None
    return tuple(found[name] for name in ("status", "recipients", "delivered", "seen", "read"))

"""Every filter with every other: a list shows what fits, a mark touches what fits, and neither anything else.

One inbox has an item of each sort; what the API should say of it is computed from the whole list, item by item.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import pytest

from models.db.database import Database
from models.delivery import deliver, fanout
from models.inbox import marking
from models.inbox import reading as inbox
from models.inbox.marking import CLEARS, SETS, Marked, Selection
from models.inbox.reading import Summary
from models.inbox.rendering import Rendered, timestamp
from models.notifications import accept
from models.notifications.accept import NewNotification
from models.subscriptions import subscribe
from tests.conftest import demand_service
from tests.models.conftest import NOW
from tests.support import reading
from tests.support.fresh import fresh_database

STATES: tuple[dict[str, bool], ...] = ({}, {"seen": True}, {"read": True}, {"archived": True})
SORTS = {"kind": ("offer", "order"), "topic": (None, "boots"), "severity": ("none", "high"), "actor": (None, "ann")}
LISTS = {
    None: ("unread", "read"),
    "unread": ("unread",),
    "read": ("read",),
    "archived": ("archived",),
    "all": ("unread", "read", "archived"),
}
LATER = NOW.replace(hour=13)


@pytest.fixture(scope="module", params=["postgresql", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One for all tests of this module: each rolls back what it changes."""
    with ExitStack() as stack:
        if request.param == "postgresql":
            template = request.getfixturevalue("migrated_postgres")
            url = stack.enter_context(fresh_database(demand_service("BELFRY_POSTGRES_URL"), template))
        else:
            file = request.getfixturevalue("migrated_sqlite")
            url = f"sqlite:///{shutil.copy(file, tmp_path_factory.mktemp('filters'))}"
        database = Database(url)
        stack.callback(database.dispose)
        yield database


@pytest.fixture(scope="module")
def whole(database: Database) -> list[Rendered]:
    """bob's inbox, newest first: an item of each sort in each state. alice has the same, all unread."""
    with database.transaction() as conn:
        subscribe(conn, "boots", ["alice", "bob"], NOW)
        for state, sort in product(STATES, product(*SORTS.values())):
            said: dict[str, Any] = dict(zip(SORTS, sort, strict=True))
            said |= {} if said["topic"] else {"recipients": ("alice", "bob")}
            [id_] = accept.accept(conn, [NewNotification("shop", title="t", **said)], NOW)
            items = deliver.deliver(conn, [id_], NOW).items or fanout.fan_out(conn, id_, 10, NOW).items
            seq = dict(zip(items.recipients, items.versions, strict=True))["bob"]
            marking.set_state(conn, "bob", seq, now=NOW, **state)
        return reading.page(conn, "bob", state="all", limit=100).items


def state_of(item: Rendered) -> str:
    return "archived" if item["archived_at"] else "read" if item["read_at"] else "unread"


def choices(*names: str) -> Iterator[dict[str, str]]:
    """Each of these filters, without a value or with each value that an item has."""
    values = [(None, *(value for value in SORTS[name] if value is not None)) for name in names]
    for chosen in product(*values):
        yield {name: value for name, value in zip(names, chosen, strict=True) if value is not None}


def fits(item: Rendered, filters: dict[str, str]) -> bool:
    return all(item[name] == value for name, value in filters.items())


def test_a_list_shows_what_fits_all_its_filters_newest_first_page_by_page(
    database: Database, whole: list[Rendered]
) -> None:
    assert len(whole) == len(STATES) * 2 ** len(SORTS)
    for state, filters in product(LISTS, choices(*SORTS)):
        fitting = [item for item in whole if state_of(item) in LISTS[state] and fits(item, filters)]
        assert fitting or not filters
        assert pages(database, state, filters) == fitting, (state, filters)


def pages(database: Database, state: str | None, filters: dict[str, str]) -> list[Rendered]:
    found, before, more = list[Rendered](), None, True
    while more:
        with database.autocommit() as conn:
            page = reading.page(conn, "bob", state=state, before=before, limit=8, **filters)
        assert page.items or before is None, "a page leads on to nothing"
        found += page.items
        before, more = page.next_before, page.next_before is not None
        assert len(page.items) == 8 or not more
    return found


@pytest.mark.parametrize("change", ["seen", "read", "archived"])
def test_a_mark_touches_what_fits_and_is_one_change_that_names_no_more(
    database: Database, whole: list[Rendered], change: str
) -> None:
    seqs = [item["seq"] for item in whole]
    named: list[dict[str, Any]] = [{"seqs": seqs[3::5]}, {"seqs": [seqs[0], seqs[0], 999]}]
    upto: list[dict[str, Any]] = [{"through": seqs[20]}, {"through": seqs[20] - 1}, {"through": 0}, {"through": 999}]
    for which in [*named, *({**up, **filters} for up in upto for filters in choices("kind", "topic"))]:
        expect_mark(database, whole, change, which)


def expect_mark(database: Database, whole: list[Rendered], change: str, which: dict[str, Any]) -> None:
    touched = [item for item in whole if item[f"{change}_at"] is None and is_meant(item, which)]
    with database.transaction() as conn:
        before = inbox.current_summary(conn, "bob")
        marked = marking.mark(conn, "bob", change, Selection(**which), now=LATER)
        after = {item["seq"]: item for item in reading.page(conn, "bob", state="all", limit=100).items}
        told = reading.changes(conn, "bob", before.version, 10)
        conn.rollback()
    moved = [item for item in whole if after[item["seq"]] != item]
    assert moved == touched, (change, which)
    assert after == {item["seq"]: moved_to(item, change, before.version + 1, item in touched) for item in whole}
    assert marked == expected(before, touched, change)
    if touched:
        [said] = told.changes
        newest = max(item["seq"] for item in touched)
        assert said["seqs"] == (sorted(item["seq"] for item in touched) if "seqs" in which else None)
        assert said["through"] == (None if "seqs" in which else newest)
        assert (said.get("kind"), said.get("topic")) == (which.get("kind"), which.get("topic"))
        assert (said["version"], said["change"], said["at"]) == (before.version + 1, change, timestamp(LATER))
    else:
        assert told.changes == []


def is_meant(item: Rendered, which: dict[str, Any]) -> bool:
    if "seqs" in which:
        return item["seq"] in which["seqs"]
    return item["seq"] <= which["through"] and fits(item, {n: v for n, v in which.items() if n != "through"})


def moved_to(item: Rendered, change: str, version: int, is_touched: bool) -> Rendered:
    """Read implies seen, archived implies read; a time that is set already stays."""
    if not is_touched:
        return item
    times = {name: item[name] or timestamp(LATER) for name in SETS[change]}
    return {**item, **times, "version": version}


def expected(before: Summary, touched: list[Rendered], change: str) -> Marked:
    if not touched:
        return Marked(0, None, before)
    unread = 0 if change == "seen" else sum(item["read_at"] is None for item in touched)
    unseen = sum(item["seen_at"] is None for item in touched)
    after = Summary(before.unread - unread, before.unseen - unseen, before.version + 1, before.epoch)
    return Marked(len(touched), before.version + 1, after)


ONE = [{name: value} for name in ("read", "archived") for value in (True, False)] + [{"seen": True}]


@pytest.mark.parametrize("asked", [*ONE, {"read": False, "seen": True}, {"read": True, "archived": False}])
def test_one_item_of_any_state_is_brought_to_any_other(
    database: Database, whole: list[Rendered], asked: dict[str, bool]
) -> None:
    for item in whole[:: 2 ** len(SORTS)]:
        with database.transaction() as conn:
            before = inbox.current_summary(conn, "bob")
            versions = marking.set_state(conn, "bob", item["seq"], now=LATER, **asked)
            [after] = reading.page(conn, "bob", state="all", before=item["seq"] + 1, limit=1).items
            now = inbox.current_summary(conn, "bob")
            conn.rollback()
        steps = len(versions or [])
        assert after == brought_to(item, asked) | {"version": before.version + steps if steps else item["version"]}
        assert now.version == before.version + steps
        assert now.unread - before.unread == (after["read_at"] is None) - (item["read_at"] is None)
        assert now.unseen - before.unseen == (after["seen_at"] is None) - (item["seen_at"] is None)
        assert (steps == 0) == (after == item)


def brought_to(item: Rendered, asked: dict[str, bool]) -> Rendered:
    sets = {name: item[name] or timestamp(LATER) for state, yes in asked.items() if yes for name in SETS[state]}
    undone = {"read": "unread", "archived": "unarchived"}
    clears = {name: None for state, yes in asked.items() if not yes for name in CLEARS[undone[state]]}
    return {**item, **clears, **sets}

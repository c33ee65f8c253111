"""Stable paging: what existed at the start is seen once, whatever is added or removed meanwhile."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from itsdangerous.encoding import base64_encode

from api.framework.cursors import INBOX_ITEMS, PUBLISHED, Listing
from models.limits import SEQ_MAX
from tests.api.running import Api, Caller, answered, problem

INBOX, HISTORY = "/v1/inbox", "/v1/notifications"
SEED = 20261122
SIZE = 3

Page = dict[str, Any]


def send(api: Api, shop: Caller, bob: Caller, titles: list[str]) -> None:
    orders = [{"recipients": [bob.id], "kind": "order", "title": title} for title in titles]
    accepted = answered(shop.post(f"{HISTORY}/batch", {"notifications": orders}), 202)["notifications"]
    api.deliver_ids([one["id"] for one in accepted])


def follow(caller: Caller, path: str, between: Callable[[Page], None], **query: Any) -> list[Page]:
    """All pages, by `next_cursor`; `between` runs between them."""
    pages: list[Page] = [answered(caller.get(path, limit=SIZE, **query), 200)]
    while cursor := pages[-1]["next_cursor"]:
        between(pages[-1])
        pages.append(answered(caller.get(path, limit=SIZE, cursor=cursor, **query), 200))
    return pages


def test_an_inbox_in_which_items_arrive_vanish_and_change_is_seen_once(api: Api, shop: Caller, bob: Caller) -> None:
    there = [f"{n:02}" for n in range(40)]
    send(api, shop, bob, there)
    chance, arrived, deleted = random.Random(SEED), 0, set[int]()

    def meanwhile(page: Page) -> None:
        nonlocal arrived
        send(api, shop, bob, [f"new {arrived}", f"new {arrived + 1}"])
        arrived += 2
        seen = [item["seq"] for item in page["items"]]
        for seq in (chance.choice(seen), chance.randrange(1, seen[-1] + 1), seen[-1]):
            if seq not in deleted and seq % 4 == 0:
                assert bob.delete(f"{INBOX}/{seq}").status_code == 204
                deleted.add(seq)
            elif seq not in deleted:
                bob.patch(f"{INBOX}/{seq}", {"read": True})

    items = [item for page in follow(bob, INBOX, meanwhile) for item in page["items"]]
    seqs = [item["seq"] for item in items]
    assert arrived > 20
    assert deleted
    assert seqs == sorted(set(seqs), reverse=True), "in order, none twice"
    assert set(seqs) | deleted == set(range(1, 41)), "all that stayed, and nothing that came later"


def test_an_item_that_leaves_the_filter_or_the_list_hides_no_other(api: Api, shop: Caller, bob: Caller) -> None:
    send(api, shop, bob, [f"{n:02}" for n in range(20)])

    def reads_what_it_saw(page: Page) -> None:
        bob.post(f"{INBOX}/read", {"seqs": [item["seq"] for item in page["items"]]})

    pages = follow(bob, INBOX, reads_what_it_saw, state="unread")
    assert [item["seq"] for page in pages for item in page["items"]] == list(range(20, 0, -1))


def test_the_item_that_a_cursor_stands_at_may_vanish(api: Api, shop: Caller, bob: Caller) -> None:
    send(api, shop, bob, [str(n) for n in range(9)])

    def delete_the_last(page: Page) -> None:
        bob.delete(f"{INBOX}/{page['items'][-1]['seq']}")

    pages = follow(bob, INBOX, delete_the_last)
    assert [item["seq"] for page in pages for item in page["items"]] == list(range(9, 0, -1))


def test_a_history_that_grows_and_is_taken_back_is_seen_once(api: Api, shop: Caller, bob: Caller) -> None:
    there = [f"{n:02}" for n in range(20)]
    send(api, shop, bob, there)

    def meanwhile(page: Page) -> None:
        send(api, shop, bob, ["new"])
        assert shop.delete(f"{HISTORY}/{page['notifications'][-1]['id']}").status_code == 204

    pages = follow(shop, HISTORY, meanwhile)
    assert [one["title"] for page in pages for one in page["notifications"]] == there[::-1]


@pytest.fixture
def cursors(api: Api, shop: Caller, bob: Caller) -> dict[str, str]:
    """A good cursor of bob's inbox and one of the shop's history."""
    send(api, shop, bob, ["1", "2"])
    return {
        INBOX: bob.inbox(limit=1)["next_cursor"],
        HISTORY: answered(shop.get(HISTORY, limit=1), 200)["next_cursor"],
    }


def test_a_cursor_leads_nowhere_in_another_list_or_anothers(api: Api, cursors: dict[str, str]) -> None:
    for path, name in ((INBOX, "bob"), (HISTORY, "shop")):
        stranger = api.caller(name, "inbox", "notify")
        for cursor in cursors.values():
            problem(stranger.get(path, cursor=cursor), 400, "invalid_cursor")


def test_both_lists_of_one_caller_have_cursors_of_their_own(api: Api) -> None:
    both = api.caller("both", "inbox", "notify")
    send(api, both, both, ["1", "2"])
    inbox, history = both.inbox(limit=1)["next_cursor"], both.get(HISTORY, limit=1).json()["next_cursor"]
    problem(both.get(INBOX, cursor=history), 400, "invalid_cursor")
    problem(both.get(HISTORY, cursor=inbox), 400, "invalid_cursor")
    assert both.inbox(cursor=inbox)["items"]


def test_a_mangled_cursor_is_refused(cursors: dict[str, str], shop: Caller, bob: Caller) -> None:
    for caller, path in ((bob, INBOX), (shop, HISTORY)):
        good = cursors[path]
        mangled = [good[:n] + ("A" if good[n] != "A" else "B") + good[n + 1 :] for n in range(len(good))]
        for cursor in (*mangled, "", " ", "0", "=", "%00", "é", good * 2, good[::-1], f"{good}\n", f" {good}"):
            problem(caller.get(path, cursor=cursor), 400, "invalid_cursor")


@pytest.mark.parametrize("written", ["2", "0", "", "[1,5]", '"2"', "null", "\x00", "９"])
def test_a_cursor_without_a_valid_signature_is_refused(shop: Caller, bob: Caller, written: str) -> None:
    body = base64_encode(written).decode()
    for caller, path in ((bob, INBOX), (shop, HISTORY)):
        for cursor in (body, f"{body}.", f".{body}", f"{body}.{base64_encode(bytes(32)).decode()}"):
            problem(caller.get(path, cursor=cursor), 400, "invalid_cursor")


@pytest.mark.parametrize(
    "written", ["", " 2", "2 ", "+2", "02", "1_0", "２", "2.0", "0x2", "[2]", "null", "\x00", "é", "9" * 1000]
)
def test_a_signed_cursor_with_another_spelling_of_a_place_is_refused(shop: Caller, bob: Caller, written: str) -> None:
    for caller, path, name in ((bob, INBOX, INBOX_ITEMS.name), (shop, HISTORY, PUBLISHED.name)):
        cursor = Listing(name, str).cursor(caller.id, written)
        problem(caller.get(path, cursor=cursor), 400, "invalid_cursor")


@pytest.mark.parametrize("body", [b"", b"A", b"AAAAA", b"%", b"_w", b"MjJ"])  # MjJ decodes to 22, as MjI does
def test_a_signed_cursor_that_is_not_the_base64_of_a_place_is_refused(bob: Caller, body: bytes) -> None:
    problem(bob.get(INBOX, cursor=INBOX_ITEMS._signer(bob.id).sign(body).decode()), 400, "invalid_cursor")


@pytest.mark.parametrize("place", [0, -1, SEQ_MAX + 1, 10**30])
def test_a_cursor_with_a_right_check_and_no_place_is_refused(bob: Caller, place: int) -> None:
    problem(bob.get(INBOX, cursor=INBOX_ITEMS.cursor(bob.id, place)), 400, "invalid_cursor")


@pytest.mark.parametrize(
    "place", ["", "1", "{019ac5a7-8c00-7000-8000-0000000000a1}", "019AC5A78C00700080000000000000A1"]
)
def test_a_cursor_with_a_right_check_and_no_id_is_refused(shop: Caller, place: str) -> None:
    problem(shop.get(HISTORY, cursor=PUBLISHED.cursor(shop.id, place)), 400, "invalid_cursor")  # type: ignore[arg-type]


def test_a_place_of_another_list_is_none_here_even_where_they_look_alike(bob: Caller) -> None:
    problem(bob.get(INBOX, cursor=Listing("another", int).cursor(bob.id, 2)), 400, "invalid_cursor")
    assert bob.get(INBOX, cursor=INBOX_ITEMS.cursor(bob.id, 2)).status_code == 200

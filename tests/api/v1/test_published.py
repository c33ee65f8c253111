"""A producer's history: its notifications, their status, and cancelling them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from models.delivery import withdraw as withdrawal
from tests.api.running import Api, Caller, answered, problem

HISTORY = "/v1/notifications"
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


def published(shop: Caller, **query: Any) -> list[str]:
    return [one["title"] for one in answered(shop.get(HISTORY, **query), 200)["notifications"]]


def publish(shop: Caller, title: str = "Boots", **fields: Any) -> str:
    fields = fields if "topic" in fields else {"recipients": ["nobody"]} | fields
    answer = shop.post(HISTORY, {"kind": "offer", "title": title} | fields)
    id_: str = answered(answer, 202)["id"]
    return id_


def one(shop: Caller, id_: str) -> dict[str, Any]:
    found: dict[str, Any] = answered(shop.get(f"{HISTORY}/{id_}"), 200)
    return found


def withdraw(api: Api, id_: str) -> None:
    """Withdraw, as the task does."""
    with api.database.transaction() as conn:
        withdrawal.withdraw(conn, UUID(id_), 1000, datetime.now(UTC))


def pages(shop: Caller, **query: Any) -> Iterator[dict[str, Any]]:
    """Page after page, by the Link header alone."""
    answer = shop.get(HISTORY, **query)
    yield answered(answer, 200)
    while "next" in answer.links:
        answer = shop.request("GET", answer.links["next"]["url"])
        yield answered(answer, 200)


def test_a_producer_sees_its_own_newest_first_and_nobody_elses(api: Api, shop: Caller) -> None:
    for title in ("one", "two", "three"):
        publish(shop, title)
    publish(api.caller("rival", "notify"), "a rival's")
    assert published(shop) == ["three", "two", "one"]


def test_the_link_leads_through_the_whole_history_with_the_same_filters(shop: Caller) -> None:
    for n in range(7):
        publish(shop, str(n), kind="odd" if n % 2 else "even")
    found = list(pages(shop, limit=2, kind="even", until=LATER))
    assert [[one["title"] for one in page["notifications"]] for page in found] == [["6", "4"], ["2", "0"]]
    assert found[-1]["next_cursor"] is None


def test_each_filter_narrows_it(api: Api, shop: Caller, bob: Caller) -> None:
    topic = f"boots {uuid4()}"
    publish(shop, "named", recipients=[bob.id])
    publish(shop, "topic", topic=topic)
    before = datetime.now(UTC)
    publish(shop, "later", deliver_at=LATER, kind="reminder")
    cancelled = publish(shop, "cancelled")
    assert shop.delete(f"{HISTORY}/{cancelled}").status_code == 204
    assert published(shop, recipient=bob.id) == ["named"]
    assert published(shop, topic=topic) == ["topic"]
    assert published(shop, kind="reminder") == published(shop, status="scheduled") == ["later"]
    assert published(shop, status="cancelled") == ["cancelled"]
    assert published(shop, status="accepted") == ["topic", "named"]
    assert published(shop, until=before.isoformat()) == ["topic", "named"]
    assert published(shop, since=before.isoformat()) == ["cancelled", "later"]
    assert published(shop, since=before.isoformat(), kind="offer", status="scheduled") == []


def test_the_time_is_filtered_up_to_its_end(shop: Caller) -> None:
    publish(shop, "one")
    assert published(shop, since="0001-01-01T00:00:00Z", until="9999-12-31T23:59:59.999999Z") == ["one"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"status": "lost"}, "not_allowed"),
        ({"since": "yesterday"}, "invalid_timestamp"),
        ({"until": "2030-01-01"}, "invalid_timestamp"),
        ({"limit": "0"}, "out_of_range"),
        ({"limit": "101"}, "out_of_range"),
        ({"limit": "ten"}, "wrong_type"),
        ({"recipient": ""}, "too_short"),
        ({"producer": "x"}, "unknown_field"),
    ],
)
def test_a_filter_that_cannot_be_is_named(shop: Caller, query: dict[str, str], code: str) -> None:
    [error] = problem(shop.get(HISTORY, **query), 422, "invalid_request")["errors"]
    assert (error["field"], error["code"]) == (next(iter(query)), code)


def test_one_tells_how_many_it_concerns_reached_and_was_seen_and_read_by(
    api: Api, shop: Caller, alice: Caller, bob: Caller
) -> None:
    answer = shop.post(HISTORY, {"kind": "k", "title": "t", "recipients": [alice.id, bob.id, "carol"]})
    there = answer.headers["Location"]
    assert numbers(answered(shop.get(there), 200)) == ("accepted", 3, 0, 0, 0)
    api.deliver(answer)
    assert numbers(answered(shop.get(there), 200)) == ("delivered", 3, 3, 0, 0)
    alice.post("/v1/inbox/seen", {"through": 1})
    bob.patch("/v1/inbox/1", {"read": True})
    before = datetime.now(UTC)
    now = answered(shop.get(there), 200)
    assert numbers(now) == ("delivered", 3, 3, 2, 1)
    assert before <= datetime.fromisoformat(now["counted_at"]) <= datetime.now(UTC)


def test_one_that_was_recalled_still_tells_who_saw_and_read_it(
    api: Api, shop: Caller, alice: Caller, bob: Caller
) -> None:
    answer = shop.post(HISTORY, {"kind": "k", "title": "t", "recipients": [alice.id, bob.id, "carol"]})
    api.deliver(answer)
    alice.post("/v1/inbox/seen", {"through": 1})
    bob.patch("/v1/inbox/1", {"read": True})
    shop.delete(answer.headers["Location"])
    withdraw(api, answer.json()["id"])
    assert bob.inbox()["items"] == []
    assert numbers(answered(shop.get(answer.headers["Location"]), 200)) == ("cancelled", 3, 3, 2, 1)


def numbers(found: dict[str, Any]) -> tuple[object, ...]:
    return tuple(found[name] for name in ("status", "recipients", "delivered", "seen", "read"))


def test_anothers_and_none_and_what_is_no_id_are_the_same_404(api: Api, shop: Caller) -> None:
    anothers = publish(api.caller("rival", "notify"))
    for method in ("GET", "DELETE"):
        answers = [shop.request(method, f"{HISTORY}/{id_}") for id_ in (anothers, uuid4(), "41", f"{anothers}/")]
        assert len({answer.text for answer in answers}) == 1
        problem(answers[0], 404, "not_found")


def test_deleting_cancels_what_is_not_delivered_for_good(api: Api, shop: Caller, bob: Caller) -> None:
    answer = shop.post(HISTORY, {"kind": "k", "title": "t", "recipients": [bob.id]})
    deleted = shop.delete(answer.headers["Location"])
    assert (deleted.status_code, deleted.content) == (204, b"")
    api.deliver(answer)
    assert bob.inbox()["items"] == []
    assert one(shop, answer.json()["id"])["status"] == "cancelled"


def test_deleting_recalls_what_is_delivered_and_counts_follow(api: Api, shop: Caller, bob: Caller) -> None:
    answer = shop.post(HISTORY, {"kind": "k", "title": "t", "recipients": [bob.id]})
    api.deliver(answer)
    assert bob.summary()["unread"] == 1
    assert shop.delete(answer.headers["Location"]).status_code == 204
    withdraw(api, answer.json()["id"])
    assert bob.inbox()["items"] == []
    assert (bob.summary()["unread"], bob.summary()["unseen"]) == (0, 0)
    assert [change["change"] for change in bob.changes(1)["changes"]] == ["recalled"]


def test_deleting_again_changes_nothing(api: Api, shop: Caller) -> None:
    id_ = publish(shop)
    cancelled_at = []
    for _ in range(3):
        assert shop.delete(f"{HISTORY}/{id_}").status_code == 204
        cancelled_at.append(one(shop, id_)["cancelled_at"])
    assert len(set(cancelled_at)) == 1


def test_only_producers_have_a_history(bob: Caller) -> None:
    for method, path in (("GET", HISTORY), ("GET", f"{HISTORY}/{uuid4()}"), ("DELETE", f"{HISTORY}/{uuid4()}")):
        problem(bob.request(method, path), 403, "forbidden")

"""Many notifications in one request: all accepted or none, in their order."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.running import Api, Caller, answered, fields, problem

BATCH = "/v1/notifications/batch"


def batch(*titles: str, **more: Any) -> dict[str, Any]:
    return {"notifications": [{"kind": "offer", "title": title, "recipients": ["bob"]} | more for title in titles]}


def titles(reader: Caller) -> list[str]:
    return [item["title"] for item in reader.inbox(limit=100)["items"]]


def accepted(api: Api, reader: Caller, answer: Any) -> list[str]:
    """Deliver the notifications that this response accepted."""
    results = answered(answer, 202)["notifications"]
    assert all(result.keys() == {"id", "status"} for result in results)
    api.deliver_ids([result["id"] for result in results])
    return titles(reader)


def test_a_batch_arrives_whole_and_in_its_order(api: Api, shop: Caller, bob: Caller) -> None:
    named = [f"number {n:03}" for n in range(60)]
    answer = shop.post(BATCH, batch(*named, recipients=[bob.id]))
    assert accepted(api, bob, answer) == named[::-1]


def test_each_has_its_own_status(shop: Caller) -> None:
    mixed = batch("now", "later", "now too")
    mixed["notifications"][1]["deliver_at"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    results = answered(shop.post(BATCH, mixed), 202)["notifications"]
    assert [result["status"] for result in results] == ["accepted", "scheduled", "accepted"]
    for result, title in zip(results, ("now", "later", "now too"), strict=True):
        assert shop.get(f"/v1/notifications/{result['id']}").json()["title"] == title


def test_one_that_is_wrong_is_named_by_its_place_and_none_is_stored(api: Api, shop: Caller) -> None:
    before = api.stored()
    wrong = batch("a", "b", "c", "d")
    wrong["notifications"][3]["title"] = ""
    wrong["notifications"][1]["topic"] = "two targets"
    wrong["notifications"][2]["recipients"] = ["bob", "eve", "bob"]
    found = fields(problem(shop.post(BATCH, wrong), 422, "invalid_request"))
    assert sorted(found) == [
        ("notifications.1.topic", "exactly_one"),
        ("notifications.2.recipients.2", "duplicate"),
        ("notifications.3.title", "too_short"),
    ]
    assert api.stored() == before


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"notifications": []}, ("notifications", "too_short")),
        ({"notifications": batch(*(["x"] * 1001))["notifications"]}, ("notifications", "too_long")),
        ({"notifications": {"0": {}}}, ("notifications", "wrong_type")),
        ({}, ("notifications", "missing")),
        (batch("x") | {"idempotency_key": "k"}, ("idempotency_key", "unknown_field")),
        (batch("x", idempotency_key="k"), ("notifications.0.idempotency_key", "unknown_field")),
    ],
)
def test_what_is_no_batch_is_refused(shop: Caller, body: Any, error: tuple[str, str]) -> None:
    assert fields(problem(shop.post(BATCH, body), 422, "invalid_request")) == [error]


def test_a_thousand_are_accepted(shop: Caller) -> None:
    results = answered(shop.post(BATCH, batch(*map(str, range(1000)))), 202)["notifications"]
    assert len({result["id"] for result in results}) == 1000


def test_a_batch_may_be_no_larger_than_any_body(api: Api, shop: Caller) -> None:
    before = api.stored()
    problem(shop.post(BATCH, batch("x", "y", "z", "z", "z", body="b" * 60_000)), 413, "body_too_large")
    assert api.stored() == before


def test_the_same_batch_with_the_same_key_is_one_batch(api: Api, shop: Caller, bob: Caller) -> None:
    same = batch("a", "b", recipients=[bob.id])
    answers = [shop.post(BATCH, same, key="launch") for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    for answer in answers:
        assert accepted(api, bob, answer) == ["b", "a"]


@pytest.mark.parametrize("other", [("a",), ("a", "b", "c"), ("b", "a"), ("a", "c"), ("x",)])
def test_another_batch_with_the_same_key_is_refused_whole(api: Api, shop: Caller, other: tuple[str, ...]) -> None:
    answered(shop.post(BATCH, batch("a", "b"), key="launch"), 202)
    before = api.stored()
    problem(shop.post(BATCH, batch(*other), key="launch"), 422, "idempotency_key_reused")
    assert api.stored() == before


def test_a_batchs_key_is_no_single_notifications_key(shop: Caller) -> None:
    single = batch("a")["notifications"][0]
    first = answered(shop.post("/v1/notifications", single, key="k"), 202)["id"]
    [second] = answered(shop.post(BATCH, batch("a"), key="k"), 202)["notifications"]
    assert first != second["id"]

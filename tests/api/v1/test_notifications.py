from datetime import UTC, datetime, timedelta
from uuid import uuid4

from tests.api.running import Api, Caller, answered

ORDER = {"kind": "order.shipped", "title": "Order 41 is on its way"}


def test_a_notification_reaches_its_recipients_as_it_was_published(
    api: Api, shop: Caller, alice: Caller, bob: Caller
) -> None:
    content = {
        "body": "Two parcels\r\nby post",
        "url": "https://shop.example.com/orders/41?x=1#y",
        "data": {"order": 41, "parcels": [1.5, None, True, {"ü": "🦉"}], "big": 2**80},
        "actor": "warehouse",
        "severity": "high",
        "expires_at": "2031-01-01T00:30:00+02:00",
    }
    api.deliver(shop.post("/v1/notifications", ORDER | content | {"recipients": [alice.id, bob.id]}))
    for one in (alice, bob):
        [item] = one.inbox()["items"]
        expected = (
            ORDER | content | {"expires_at": "2030-12-31T22:30:00.000000Z", "topic": None, "seq": 1, "version": 1}
        )
        assert {name: item[name] for name in expected} == expected
        assert datetime.now(UTC) - datetime.fromisoformat(item["created_at"]) < timedelta(minutes=1)
        assert item["seen_at"] is item["read_at"] is item["archived_at"] is None


def test_it_is_accepted_with_the_address_of_what_was_published(shop: Caller, bob: Caller) -> None:
    answer = shop.post("/v1/notifications", ORDER | {"recipients": [bob.id]})
    id_ = answered(answer, 202)["id"]
    assert answer.json() == {"id": id_, "status": "accepted"}
    assert answer.headers["Location"] == f"/v1/notifications/{id_}"


def test_what_is_for_a_topic_reaches_its_subscribers(api: Api, shop: Caller, alice: Caller, bob: Caller) -> None:
    topic = f"orders/{uuid4()}"
    assert alice.put(f"/v1/subscriptions/{topic}").status_code == 204
    api.deliver(shop.post("/v1/notifications", ORDER | {"topic": topic}))
    assert [item["topic"] for item in alice.inbox()["items"]] == [topic]
    assert bob.inbox()["items"] == []


def test_everyone_is_who_ever_opened_an_inbox(api: Api, shop: Caller, alice: Caller, bob: Caller) -> None:
    alice.inbox()
    api.deliver(shop.post("/v1/notifications", ORDER | {"everyone": True}))
    assert [item["title"] for item in alice.inbox()["items"]] == [ORDER["title"]]
    assert bob.inbox()["items"] == []


def test_what_is_due_later_is_scheduled_and_what_was_due_is_accepted(shop: Caller, bob: Caller) -> None:
    for hours, status in ((1, "scheduled"), (-1, "accepted")):
        due = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
        answer = shop.post("/v1/notifications", ORDER | {"recipients": [bob.id], "deliver_at": due})
        assert answered(answer, 202)["status"] == status


def test_times_long_past_are_still_written_as_rfc_3339_has_them(shop: Caller) -> None:
    past = {"recipients": ["bob"], "deliver_at": "0327-01-24T13:35:59.3Z"}
    there = shop.post("/v1/notifications", ORDER | past).headers["Location"]
    assert answered(shop.get(there), 200)["deliver_at"] == "0327-01-24T13:35:59.300000Z"


def test_what_a_field_may_at_most_be_is_accepted(api: Api, shop: Caller) -> None:
    largest = {
        "recipients": [f"{n}-{uuid4()}" for n in range(1000)],
        "kind": "k" * 100,
        "title": "t" * 10_240,
        "body": "b" * 65_536,
        "url": "/" + "u" * 2_047,
        "actor": "a" * 255,
        "data": {"x": "y" * (65_536 - 9)},
    }
    answered(shop.post("/v1/notifications", largest, key="!" * 255), 202)

"""What crosses the exchange, packed and unpacked."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from lib.rendering.delivered_items import DeliveredItems
from push.broker import wire
from push.broker.wire import Announcement, Revocation

EPOCH = UUID(int=7)


def added(recipient_id: str, version: int, body: str = "") -> Announcement:
    return Announcement(recipient_id, {"version": version, "change": "added", "item": {"body": body}})


def travel(announcements: list[Announcement]) -> tuple[list[str], list[Announcement]]:
    messages = list(wire.encode(announcements))
    return messages, [one for message in messages for one in wire.decode(json.loads(message))]


def test_an_added_item_is_a_notification_and_any_other_change_an_inbox_event() -> None:
    assert added("bob", 1).event == "notification"
    assert Announcement("bob", {"change": "read"}).event == "inbox"


def test_a_recipients_room_is_never_another_clients_own_room() -> None:
    sid = "Zf3kPz8xQ1bWAAAB"
    assert wire.room_of(sid) != sid
    assert wire.room_of("bob") == "user:bob"


def test_announcements_arrive_as_they_were_sent_in_order() -> None:
    sent = [added("bob", 1), added("zoë ☂ \ud800", 2, 'a "quoted" \n line'), added("__proto__", 3), added("1,2", 4)]
    messages, arrived = travel(sent)
    assert arrived == sent
    assert len(messages) == 1


def test_many_announcements_travel_in_few_messages_of_bounded_size() -> None:
    sent = [added(f"user-{number}", number, "☂" * 1000) for number in range(1200)]
    messages, arrived = travel(sent)
    assert arrived == sent
    assert max(len(message.encode()) for message in messages) < wire.MESSAGE_MAX_BYTES * 1.02
    assert len(messages) < 1200 * 6200 / wire.MESSAGE_MAX_BYTES + 2


def test_a_message_holds_a_bounded_number_of_announcements() -> None:
    messages, arrived = travel([added("bob", number) for number in range(1001)])
    assert [len(json.loads(message)["announcements"]) for message in messages] == [500, 500, 1]
    assert [one.payload["version"] for one in arrived] == list(range(1001))


def test_an_announcement_above_the_bound_travels_alone() -> None:
    messages, arrived = travel([added("bob", 1), added("bob", 2, "x" * wire.MESSAGE_MAX_BYTES), added("bob", 3)])
    assert [one.payload["version"] for one in arrived] == [1, 2, 3]
    assert len(messages) == 3


def test_no_announcements_are_no_message() -> None:
    assert list(wire.encode([])) == []
    assert list(wire.encode_items(delivered())) == []


def delivered(*people: str, bodies: Sequence[str] = ("hello",)) -> DeliveredItems:
    """Each of the bodies for each of these people."""
    items = [json.dumps({"id": body[:10], "body": body, "seen_at": None}) for body in bodies]
    places = [place for place in range(len(items)) for _ in people]
    count = len(places)
    return DeliveredItems(
        items, places, list(people) * len(items), list(range(7, 7 + count)), [3] * count, [2] * count, EPOCH
    )


def arrive(message: str, *here: str) -> list[tuple[str, dict[str, Any]]]:
    parsed = json.loads(message)
    rooms = {wire.room_of(one) for one in here or parsed["recipients"]}
    return [(room, json.loads(payload)) for room, payload in wire.decode_items(parsed, rooms)]


def expected(sent: DeliveredItems) -> list[tuple[str, dict[str, Any]]]:
    columns = zip(sent.recipients, sent.places, sent.versions, sent.unread, sent.unseen, strict=True)
    return [
        (
            wire.room_of(recipient),
            {
                "version": version,
                "item": {"seq": version, "version": version, **json.loads(sent.items[place])},
                "unread": unread,
                "unseen": unseen,
                "epoch": str(EPOCH),
                "change": "added",
            },
        )
        for recipient, place, version, unread, unseen in columns
    ]


def test_an_item_for_many_travels_once_and_arrives_complete_at_each() -> None:
    sent = delivered("bob", "zoë ☂ \ud800", bodies=['a "quoted" ☂', "other"])
    [message] = wire.encode_items(sent)
    assert message.count("quoted") == 2  # its id and its body
    assert arrive(message) == expected(sent)
    assert arrive(message, "bob") == [expected(sent)[0], expected(sent)[2]]


def test_delivered_items_travel_in_messages_of_bounded_size_and_the_larger_ones_alone() -> None:
    wide = delivered(*(f"user-{number}" for number in range(1200)))
    large = delivered("bob", bodies=[f"{number}{'x' * 100_000}" for number in range(5)])
    huge = delivered("bob", bodies=["x" * wire.MESSAGE_MAX_BYTES, "y" * wire.MESSAGE_MAX_BYTES])
    for sent, sizes in ((wide, [500, 500, 200]), (large, [2, 2, 1]), (huge, [1, 1])):
        messages = list(wire.encode_items(sent))
        assert [one for message in messages for one in arrive(message)] == expected(sent)
        assert [len(json.loads(message)["recipients"]) for message in messages] == sizes


@pytest.mark.parametrize(
    "said",
    [
        {"items": None},
        {"epoch": 7},
        {"recipients": "bob"},
        {"recipients": [7]},
        {"recipients": ["bob", "bob"]},
        {"places": [1]},
        {"places": [-1]},
        {"versions": ["1"]},
        {"versions": []},
        {"unread": None},
        {"unseen": {}},
        {"items": [7]},
        {"items": [{}]},
    ],
)
def test_what_is_no_delivered_item_is_refused(said: dict[str, Any]) -> None:
    message = {"epoch": "e", "items": [{"id": "x"}], "recipients": ["bob"], "places": [0], "versions": [1]}
    whole = {**message, "unread": [1], "unseen": [1]}
    assert list(wire.decode_items(whole, {"user:bob"}))
    with pytest.raises(ValueError, match="delivered item"):
        list(wire.decode_items({**whole, **said}, {"user:bob"}))


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"announcements": None},
        {"announcements": "bob"},
        {"announcements": [1]},
        {"announcements": [["bob"]]},
        {"announcements": [["bob", {}]]},
        {"announcements": [[7, {"change": "added"}]]},
        {"announcements": [["bob", {"change": 7}]]},
        {"announcements": [["bob", {"change": "added"}, "more"]]},
    ],
)
def test_what_is_no_announcement_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="announcement"):
        list(wire.decode(message))


def test_a_revocation_arrives_as_it_was_sent() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 0, 123_457, tzinfo=UTC)
    for user_id in ("bob", "1,2", "zoë ☂", "__proto__"):
        sent = Revocation(user_id, moment)
        assert wire.decode_revocation(json.loads(wire.encode_revocation(sent))) == sent


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"user_id": "bob"},
        {"user_id": 7, "revoked_before": 1},
        {"user_id": "bob", "revoked_before": "2026-11-22T12:00:00Z"},
        {"user_id": "bob", "revoked_before": 1e300},
        {"user_id": "bob", "revoked_before": float("nan")},
    ],
)
def test_what_is_no_revocation_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"revo|NaN|convert"):
        wire.decode_revocation(message)

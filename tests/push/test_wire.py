"""What crosses the exchange, packed and unpacked."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from push import wire
from push.wire import Announcement, Arrival, Revocation

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
    assert list(wire.encode_arrivals([])) == []


def arrivals(*recipients: str, body: str = "hello") -> list[Arrival]:
    item = {"id": body[:10], "body": body, "seen_at": None}
    return [Arrival(one, item, 7 + n, 3, 2, EPOCH) for n, one in enumerate(recipients)]


def arrive(message: str, *here: str) -> list[tuple[str, dict[str, Any]]]:
    shown = wire.decode_arrivals(json.loads(message), lambda one: not here or one in here)
    return [(recipient, json.loads(payload)) for recipient, payload in shown]


def payload_of(one: Arrival) -> dict[str, Any]:
    item = {"seq": one.version, "version": one.version, **one.item}
    rest = {"unread": one.unread, "unseen": one.unseen, "epoch": str(EPOCH), "change": "added"}
    return {"version": one.version, "item": item, **rest}


def test_an_item_for_many_travels_once_and_arrives_complete_at_each() -> None:
    sent = arrivals("bob", "zoë ☂ \ud800", body='a "quoted" ☂') + arrivals("bob", body="other")
    [message] = wire.encode_arrivals(sent)
    assert message.count("quoted") == 2  # its id and its body
    expected = [(one.recipient_id, payload_of(one)) for one in sent]
    assert arrive(message) == expected
    assert arrive(message, "bob") == [expected[0], expected[2]]


def test_arrivals_travel_in_messages_of_bounded_size_and_the_larger_ones_alone() -> None:
    wide = arrivals(*(f"user-{number}" for number in range(1200)))
    large = [arrivals("bob", body=f"{number}{'x' * 100_000}")[0] for number in range(5)]
    huge = arrivals("bob", "alice", body="x" * wire.MESSAGE_MAX_BYTES)
    messages = list(wire.encode_arrivals([*wide, *large, *huge]))
    assert [one for message in messages for one in arrive(message)] == [
        (one.recipient_id, payload_of(one)) for one in [*wide, *large, *huge]
    ]
    assert [len(json.loads(message)["to"]) for message in messages] == [500, 500, 202, 2, 1, 1, 1]


@pytest.mark.parametrize(
    "said",
    [
        {"items": None},
        {"epoch": 7},
        {"to": "bob"},
        {"to": [["bob", 0, 1, 1]]},
        {"to": [["bob", 1, 1, 1, 1]]},
        {"to": [["bob", -1, 1, 1, 1]]},
        {"to": [["bob", 0, "1", 1, 1]]},
        {"to": [[7, 0, 1, 1, 1]]},
        {"items": [7]},
        {"items": [{}]},
    ],
)
def test_what_is_no_arrival_is_refused(said: dict[str, Any]) -> None:
    message = {"epoch": "e", "items": [{"id": "x"}], "to": [["bob", 0, 1, 1, 1]], **said}
    with pytest.raises(ValueError, match=r"arrival|item"):
        list(wire.decode_arrivals(message, lambda _: True))


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

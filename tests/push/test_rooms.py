"""Each recipient has a room: all of their screens are in it, nobody else is, and no client can name one."""

import json
from collections.abc import Callable
from uuid import UUID

import pytest

from dev.processes import wait_for
from lib.rendering.delivered_items import DeliveredItems
from push.broker.announcer import Announcer
from push.broker.wire import Announcement, room_of
from tests.push.clients import RawSocket, Screen
from tests.push.support import PushProcess, added

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]


def test_room_per_user_what_is_bobs_reaches_bob_alone(push: PushProcess, screen: Turn) -> None:
    bob, alice = screen(push, "bob"), screen(push, "alice")
    push.announce(added("bob", 1), added("alice", 2))
    bob.expect_versions(1)
    alice.expect_versions(2)


def test_two_tabs_of_one_user_are_both_shown_it_in_order(push: PushProcess, screen: Turn) -> None:
    tabs = [screen(push, "bob", transports=[transport]) for transport in ("websocket", "polling")]
    push.announce(*(added("bob", version) for version in range(1, 301)))
    for tab in tabs:
        tab.expect_versions(*range(1, 301))


def test_an_item_that_arrives_at_many_is_shown_to_each_with_their_own_version_and_counts(
    start_push: Start, broker_url: str, screen: Turn
) -> None:
    server = start_push(broker_url)
    bob, alice, carol = screen(server, "bob"), screen(server, "alice"), screen(server, "carol")
    item = {"id": "x", "title": "Grüße ☂", "seen_at": None}
    names, versions, unread, unseen = ["bob", "nobody", "alice"], [3, 4, 5], [4, 5, 6], [5, 6, 7]
    Announcer(broker_url).announce_items(
        DeliveredItems([json.dumps(item)], [0, 0, 0], names, versions, unread, unseen, epoch=UUID(int=7))
    )
    for one, version in ((bob, 3), (alice, 5)):
        rest = {"change": "added", "epoch": str(UUID(int=7)), "unread": version + 1, "unseen": version + 2}
        item_shown = {"seq": version, "version": version, **item}
        assert one.expect("notification") == {"version": version, "item": item_shown, **rest}
    server.announce(added("carol", 1))
    carol.expect_versions(1)


def test_two_push_servers_both_show_a_users_screens_what_is_announced(
    start_push: Start, broker_url: str, screen: Turn
) -> None:
    first, second = start_push(broker_url), start_push(broker_url)
    here, there = screen(first, "bob"), screen(second, "bob", token=second.token("bob"))
    first.announce(added("bob", 1), added("alice", 2), added("bob", 3))
    here.expect_versions(1, 3)
    there.expect_versions(1, 3)


def test_the_room_is_left_at_disconnect(push: PushProcess, screen: Turn) -> None:
    gone, stays = screen(push, "bob"), screen(push, "bob")
    before = push.log().count("client_disconnected")
    gone.client.disconnect()
    assert gone.expect("disconnect")
    wait_for(lambda: push.log().count("client_disconnected") > before, what="the disconnection")
    push.announce(added("bob", 1))
    stays.expect_versions(1)
    assert gone.shown.empty()


def test_a_client_that_leaves_the_namespace_is_shown_nothing_more_and_its_transport_closed(push: PushProcess) -> None:
    bob = RawSocket(push.port)
    bob.open(push.token("bob"))
    bob.send("41")
    bob.closes_within(5)


def test_other_changes_of_an_inbox_are_shown_as_inbox_events(push: PushProcess, screen: Turn) -> None:
    bob = screen(push, "bob")
    read = {"version": 2, "epoch": "e", "change": "read", "seqs": [1], "through": None, "unread": 0, "unseen": 0}
    push.announce(Announcement("bob", read))
    assert bob.expect("inbox") == read


HOSTILE_IDS = ["1,2", "../", "__proto__", "user:bob", "user:", "*", "/", "☂" * 255, "a b", "'\"\\", "null", "0", "%00"]


def test_hostile_user_ids_reach_only_themselves(push: PushProcess, screen: Turn) -> None:
    bob = screen(push, "bob")
    own_id = bob.client.get_sid()
    others = {name: screen(push, name, transports=["websocket"]) for name in [*HOSTILE_IDS, own_id]}
    push.announce(*(added(name, version) for version, name in enumerate(others, 1)), added("bob", 99))
    bob.expect_versions(99)
    for version, other in enumerate(others.values(), 1):
        other.expect_versions(version)


@pytest.mark.parametrize(
    "event",
    [
        ["join", "user:alice"],
        ["enter_room", {"room": "user:alice"}],
        ["connect", {"QUERY_STRING": ""}, {"token": "ALICE"}],
        ["connect", {}, {"room": "user:alice"}],
        ["authenticate", {"token": "ALICE"}],
        ["authenticate", {"token": "OWN", "room": "user:alice"}, "user:alice"],
        ["trigger_event", "connect"],
    ],
)
def test_no_client_event_can_name_a_room(push: PushProcess, screen: Turn, event: list[object]) -> None:
    mallory = RawSocket(push.port)
    assert mallory.open(push.token("mallory"))["packet"] == "40"
    text = json.dumps(event).replace("ALICE", push.token("alice")).replace("OWN", push.token("mallory"))
    mallory.send(f"427{text}")
    answer = mallory.read_text() or ""
    if answer.startswith("42["):
        assert answer.startswith('42["error"')
        answer = mallory.read_text() or ""
    assert answer.startswith("437[")
    push.announce(added("alice", 1), added("mallory", 2))
    assert json.loads((mallory.read_text() or "")[2:])[1]["version"] == 2
    mallory.close()


def test_a_client_that_emits_disconnect_as_an_event_keeps_its_room(push: PushProcess, screen: Turn) -> None:
    bob = screen(push, "bob")
    assert bob.ask("disconnect", "reason") == {"ok": False, "error": {"code": "unknown_event"}}
    assert bob.expect("error") == {"code": "unknown_event", "event": "disconnect"}
    push.announce(added("bob", 1))
    bob.expect_versions(1)


def test_stock_emit_messages_on_the_exchange_still_work(start_push: Start, broker_url: str, screen: Turn) -> None:
    server = start_push(broker_url)
    bob, alice = screen(server, "bob"), screen(server, "alice")
    announcer = Announcer(broker_url)
    announcer.emit("maintenance", {"at": "noon"}, room=room_of("bob"))
    announcer.emit("maintenance", "for all")
    assert bob.expect("maintenance") == {"at": "noon"}
    assert bob.expect("maintenance") == "for all"
    assert alice.expect("maintenance") == "for all"


def test_a_notification_can_carry_an_acknowledgement(start_push: Start, broker_url: str, screen: Turn) -> None:
    """As socketio's servers send it; the answer goes back over the exchange to who asked."""
    server = start_push(broker_url)
    bob = screen(server, "bob", acknowledge=True)
    asking = Announcer(broker_url)
    asking._publish(asking_bob(asking, 1))
    assert bob.expect("notification") == {"version": 1}
    server.announce(added("bob", 2))
    bob.expect_versions(2)
    assert "handler_failed" not in server.log()


def test_a_client_that_acknowledges_what_nobody_asked_does_no_harm(push: PushProcess) -> None:
    bob = RawSocket(push.port)
    bob.open(push.token("bob"))
    before = push.log().count("\n")
    for acknowledgement in ("430[]", '431["seen"]', "43999[1,2,3]", "430[]"):
        bob.send(acknowledgement)
    asking = Announcer(push.broker_url)
    asking._publish(asking_bob(asking, 1))
    assert (bob.read_text() or "").startswith('421["notification"')
    for acknowledgement in ("430[]", '431["seen"]', '431["seen"]', "430[]", '427["no_such_event"]'):
        bob.send(acknowledgement)
    assert (bob.read_text() or "").startswith('42["error"')
    assert (bob.read_text() or "").startswith("437[")  # so all of them have been taken
    asking._publish(asking_bob(asking, 2))
    assert (bob.read_text() or "").startswith('422["notification"')
    push.announce(added("bob", 1))
    assert (bob.read_text() or "").startswith('42["notification"')
    assert push.log().count("\n") == before
    bob.close()


def asking_bob(asking: Announcer, number: int) -> dict[str, object]:
    """A message as socketio's servers send it when an emit has a callback."""
    return {
        "method": "emit",
        "event": "notification",
        "data": [{"version": number}],
        "namespace": "/",
        "room": room_of("bob"),
        "callback": [room_of("bob"), "/", number],
        "host_id": asking.host_id,
    }

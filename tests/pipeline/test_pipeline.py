"""One notification's whole way, from the POST to the socket and back by REST, on every pair of database and broker."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from dev.processes import wait_for
from dev.stack import Stack
from tests.support.people import TIMEOUT, Device, Person
from workers.queues import DELIVER, make_celery

MakePerson = Callable[..., Person]
TurnOn = Callable[[Person], Device]


def test_a_messages_b_and_b_sees_it_without_a_reload(person: MakePerson, device: TurnOn) -> None:
    alice, bob = person("alice"), person("bob")
    screen, alices = device(bob), device(alice)
    id_ = alice.message(bob.name, "Grüße, 世界 🎉")
    item = screen.expect_item(kind="message", body="Grüße, 世界 🎉")
    assert (item["id"], item["actor"], item["seq"]) == (id_, alice.name, 1)
    assert bob.items() == [item]
    assert (screen.inbox.unread, screen.inbox.unseen) == (1, 1)
    assert alices.changes == []


def test_a_follows_b_and_b_is_told(person: MakePerson, device: TurnOn) -> None:
    alice, bob = person("alice"), person("bob")
    screen = device(bob)
    id_ = alice.follow(bob.name)
    assert screen.expect_item(kind="follow", actor=alice.name)["id"] == id_


def test_a_follower_hears_what_the_followed_one_publishes_and_an_unfollower_no_more(
    person: MakePerson, device: TurnOn
) -> None:
    shop, alice, carol = person("shop", "notify"), person("alice"), person("carol")
    screen = device(alice)
    alice.follow(shop.name)
    carol.follow(shop.name)
    carol.ok("DELETE", f"/v1/follows/{shop.name}")
    id_ = shop.notify(topic=f"user:{shop.name}")
    assert screen.expect_item(id=id_)["topic"] == f"user:{shop.name}"
    assert carol.items() == []


def test_bob_offline_during_push_finds_it_unread_on_return(person: MakePerson, device: TurnOn) -> None:
    alice, bob = person("alice"), person("bob")
    for text in ("one", "two", "three"):
        alice.message(bob.name, text)
    bob.expect_stored(3)
    screen = device(bob)
    assert [item["body"] for item in sorted(screen.inbox.items.values(), key=lambda item: item["seq"])] == [
        item["body"] for item in reversed(bob.items("unread"))
    ]
    assert screen.inbox.unread == 3


def test_broadcast_to_all_reaches_everyone_online_or_not(person: MakePerson, device: TurnOn) -> None:
    shop, bob, away = person("shop", "notify"), person("bob"), person("away")
    away.items()  # whoever opened an inbox once is known
    screen = device(bob)
    id_ = shop.notify(everyone=True, title="To all")
    assert screen.expect_item(id=id_)["title"] == "To all"
    assert [item["id"] for item in away.expect_stored(1)] == [id_]


def test_rooms_a_topic_reaches_those_who_subscribed_or_were_subscribed(person: MakePerson, device: TurnOn) -> None:
    shop, bob, carol, stranger = person("shop", "notify"), person("bob"), person("carol"), person("stranger")
    topic = f"boots/{bob.name}"
    screens = [device(bob), device(carol), device(stranger)]
    bob.subscribe(topic)
    shop.ok("PUT", f"/v1/topics/{topic}/subscribers", {"add": [carol.name]})
    id_ = shop.notify(topic=topic)
    for screen in screens[:2]:
        assert screen.expect_item(id=id_)["topic"] == topic
    wait_for(lambda: len(bob.items()) == 1, TIMEOUT, "bob's inbox")
    assert stranger.items() == []
    assert screens[2].changes == []


def test_what_is_read_on_one_device_is_read_on_the_other(person: MakePerson, device: TurnOn) -> None:
    alice, bob = person("alice"), person("bob")
    phone, laptop = device(bob), device(bob)
    for text in ("one", "two"):
        alice.message(bob.name, text)
    bob.expect_stored(2)
    bob.ok("PATCH", "/v1/inbox/1", {"read": True})
    bob.ok("POST", "/v1/inbox/read", {"through": 2})
    for screen in (phone, laptop):
        wait_for(lambda screen=screen: screen.inbox.version == 4, TIMEOUT, "the change")  # type: ignore[misc]
        assert screen.inbox.unread == 0
        assert {item["seq"]: item for item in bob.items()} == screen.inbox.items
        assert screen.versions == [1, 2, 3, 4]


def test_running_the_same_task_many_times_at_once_changes_nothing(stack: Stack, person: MakePerson) -> None:
    alice, bob = person("alice"), person("bob")
    ids = [alice.message(bob.name, str(n)) for n in range(5)]
    celery = make_celery(stack.environ["BROKER_URL"])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: celery.send_task(DELIVER, args=[ids]), range(20)))
    bob.expect_stored(5)
    last = alice.message(bob.name, "last")  # behind the doubled ones in the queue
    assert bob.expect_stored(6)[0]["id"] == last
    assert sorted(item["id"] for item in bob.items()) == sorted([*ids, last])
    assert bob.summary()["version"] == 6


def test_what_is_scheduled_arrives_at_its_time(person: MakePerson, device: TurnOn) -> None:
    shop, bob = person("shop", "notify"), person("bob")
    screen = device(bob)
    due = datetime.now(UTC) + timedelta(seconds=2)
    id_ = shop.notify(recipients=[bob.name], deliver_at=due.isoformat())
    screen.expect_item(id=id_)
    assert datetime.now(UTC) >= due


def test_order_what_is_posted_after_another_was_delivered_comes_after_it(person: MakePerson) -> None:
    alice, bob = person("alice"), person("bob")
    for n in range(5):
        alice.message(bob.name, str(n))
        bob.expect_stored(n + 1)
    assert [item["body"] for item in reversed(bob.items())] == list("01234")


def test_no_log_says_what_people_are_told_nor_holds_their_tokens(
    stack: Stack, person: MakePerson, device: TurnOn
) -> None:
    alice, bob, shop = person("alice"), person("bob"), person("shop", "notify")
    screen, words = device(bob), "zebra-secret"
    alice.message(bob.name, f"{words} text")
    shop.notify(recipients=[bob.name], title=words, body=words, url=f"/{words}", data={words: words})
    screen.expect_item(title=words)
    bob.ok("POST", "/v1/inbox/read", {"through": 2})
    written = "".join(process.output() for process in stack.processes.values())
    assert "client_connected" in written
    tokens = [one.headers["Authorization"] for one in (alice, bob, shop)] + [screen.inbox._token()]
    for secret in (words, *(part for token in tokens for part in token.split(".")[1:])):
        assert secret not in written

"""What a producer takes back, and what expires, leaves every inbox, its counts and its open screens."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from dev.processes import wait_for
from tests.support.people import TIMEOUT, Device, Person

WITHIN = timedelta(seconds=5)  # what the documentation promises
MANY = 20_000  # subscribers: ten chunks
TURNS = 5

MakePerson = Callable[..., Person]
TurnOn = Callable[[Person], Device]


def recall(shop: Person, id_: str) -> None:
    assert shop.call("DELETE", f"/v1/notifications/{id_}").status_code == 204


def expect_gone(owner: Person, screen: Device, id_: str, change: str, version: int) -> None:
    """The screen is told why, and holds what its owner's inbox holds."""
    wait_for(lambda: screen.inbox.version == version, TIMEOUT, f"{owner.name}'s screen to be told")
    assert screen.changes[-1]["change"] == change
    assert id_ not in [item["id"] for item in screen.inbox.items.values()]
    assert list(screen.inbox.items.values()) == owner.items()
    counts = owner.summary()
    assert (screen.inbox.unread, screen.inbox.unseen) == (counts["unread"], counts["unseen"])
    assert counts["version"] == version


def test_a_recalled_notification_vanishes_from_inbox_counts_and_screen(person: MakePerson, device: TurnOn) -> None:
    shop, bob = person("shop", "notify"), person("bob")
    screen = device(bob)
    kept = shop.notify(recipients=[bob.name], title="kept")
    screen.expect_item(id=kept)
    id_ = shop.notify(recipients=[bob.name])
    screen.expect_item(id=id_)
    assert bob.summary()["unread"] == 2
    recall(shop, id_)
    expect_gone(bob, screen, id_, "recalled", version=3)
    assert [item["id"] for item in bob.items()] == [kept]
    assert bob.summary()["unread"] == 1
    recall(shop, id_)
    assert shop.ok("GET", f"/v1/notifications/{id_}")["status"] == "cancelled"
    assert bob.summary()["version"] == 3


def test_recalling_what_was_read_leaves_the_counts_of_the_others(person: MakePerson, device: TurnOn) -> None:
    shop, bob = person("shop", "notify"), person("bob")
    id_ = shop.notify(recipients=[bob.name])
    bob.expect_stored(1)
    shop.notify(recipients=[bob.name])
    bob.expect_stored(2)
    screen = device(bob)
    bob.ok("PATCH", "/v1/inbox/1", {"read": True})
    recall(shop, id_)
    expect_gone(bob, screen, id_, "recalled", version=4)
    assert (bob.summary()["unread"], bob.summary()["unseen"]) == (1, 1)


def test_what_is_cancelled_before_its_time_never_arrives(person: MakePerson, device: TurnOn) -> None:
    shop, bob = person("shop", "notify"), person("bob")
    screen = device(bob)
    due = datetime.now(UTC) + timedelta(seconds=2)
    cancelled = shop.notify(recipients=[bob.name], deliver_at=due.isoformat())
    recall(shop, cancelled)
    behind = shop.notify(recipients=[bob.name], deliver_at=(due + timedelta(seconds=1)).isoformat())
    screen.expect_item(id=behind)  # the relay has been past the cancelled one's time
    assert [item["id"] for item in bob.items()] == [behind]
    assert screen.versions == [1]


def test_what_expires_vanishes_within_seconds_of_its_time(person: MakePerson, device: TurnOn) -> None:
    shop, bob = person("shop", "notify"), person("bob")
    screen = device(bob)
    end = datetime.now(UTC) + timedelta(seconds=2)
    id_ = shop.notify(recipients=[bob.name], expires_at=end.isoformat())
    screen.expect_item(id=id_)
    assert bob.summary()["unread"] == 1
    expect_gone(bob, screen, id_, "expired", version=2)
    assert end <= datetime.now(UTC) < end + WITHIN
    assert bob.summary()["unread"] == 0


def test_what_a_topic_was_told_is_recalled_from_all(person: MakePerson, device: TurnOn) -> None:
    shop, readers = person("shop", "notify"), [person(name) for name in ("bob", "carol", "dave")]
    topic = f"boots/{shop.name}"
    shop.ok("PUT", f"/v1/topics/{topic}/subscribers", {"add": [reader.name for reader in readers]})
    screens = [device(reader) for reader in readers]
    id_ = shop.notify(topic=topic)
    for screen in screens:
        screen.expect_item(id=id_)
    recall(shop, id_)
    for reader, screen in zip(readers, screens, strict=True):
        expect_gone(reader, screen, id_, "recalled", version=2)
        assert reader.items() == []
    late = person("late")
    late.subscribe(topic)
    assert late.items() == []


def test_what_is_cancelled_leaves_the_inbox_within_seconds(person: MakePerson) -> None:
    shop, bob = person("shop", "notify"), person("bob")
    id_ = shop.notify(recipients=[bob.name])
    bob.expect_stored(1)
    recall(shop, id_)
    since = datetime.now(UTC)
    wait_for(lambda: bob.items() == [], WITHIN.total_seconds(), "the cancelled to leave bob's inbox")
    assert datetime.now(UTC) - since < WITHIN


def test_nothing_arrives_after_a_cancel_was_answered(person: MakePerson) -> None:
    """`delivered` counts the items that were ever written."""
    shop, bob = person("shop", "notify"), person("bob")
    topic = f"boots/{shop.name}"
    for thousand in range(0, MANY, 1_000):
        some = [f"{topic}/{n:05}" for n in range(thousand, thousand + 1_000)]
        shop.ok("PUT", f"/v1/topics/{topic}/subscribers", {"add": some})
    for turn in range(1, TURNS + 1):
        id_ = shop.notify(topic=topic)
        wait_for(lambda: delivered(shop, id_) > 0, TIMEOUT, "the fan-out to begin")  # noqa: B023
        recall(shop, id_)
        then = delivered(shop, id_)
        shop.notify(recipients=[bob.name])  # whoever was at it has ended by then
        bob.expect_stored(turn)
        assert delivered(shop, id_) == then
        if then < MANY:  # else all of it was written before the cancel, which shows nothing
            break
    else:
        raise AssertionError("no cancel came while it was fanned out")


def delivered(shop: Person, id_: str) -> int:
    return int(shop.ok("GET", f"/v1/notifications/{id_}")["delivered"])

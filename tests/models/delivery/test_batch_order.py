"""A batch keeps its order: what waits holds back what comes after it for the same recipients, and nothing else."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import event, select, update

from models.db.database import Database
from models.delivery import batch_order, broadcasts, fanout
from models.delivery import deliver as delivery
from models.delivery.batch_order import Order
from models.delivery.outcome import Delivery
from models.inbox.rendering import Rendered
from models.notifications import accept as notifications
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER
from models.schema.notifications import notifications as rows
from models.subscriptions import subscribe
from tests.models.conftest import NOW

Items = Callable[..., list[Rendered]]
Post = Callable[..., list[UUID]]

A_DAY = timedelta(days=1)


@pytest.fixture
def post(database: Database) -> Post:
    """Accept a batch: each member by its recipients, or by its fields; its title is its place."""

    def post_batch(*members: str | dict[str, Any]) -> list[UUID]:
        given = [{"recipients": tuple(one)} if isinstance(one, str) else one for one in members]
        new = [
            NewNotification(**{"producer_id": "shop", "kind": "offer", "title": str(n), "batch": "a digest", **one})
            for n, one in enumerate(given)
        ]
        with database.transaction() as conn:
            return notifications.accept(conn, new, NOW)

    return post_batch


def deliver(database: Database, ids: Sequence[UUID], now: datetime = NOW) -> Delivery:
    with database.transaction() as conn:
        return delivery.deliver(conn, ids, now)


def ordered(database: Database, ids: Sequence[UUID], now: datetime = NOW) -> Order:
    with database.snapshot() as conn:
        return batch_order.order_of(conn, ids, now)


def deliver_ordered(database: Database, ids: Sequence[UUID]) -> Delivery:
    with database.transaction() as conn:
        return delivery.deliver(conn, ordered(database, ids).direct, NOW, ordered=True)


def following(database: Database, batch: UUID) -> Order:
    with database.snapshot() as conn:
        return batch_order.next_of(conn, [batch], NOW)


def fan_out(database: Database, id_: UUID) -> fanout.Chunk:
    with database.transaction() as conn:
        return fanout.fan_out(conn, id_, 10, NOW)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is executed in the block."""
    executed = list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        executed.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield executed
    event.remove(database.engine, "before_cursor_execute", note)


def titles(items_of: Items, recipient: str) -> list[str]:
    """Oldest first."""
    return [item["title"] for item in reversed(items_of(recipient))]


def test_only_what_came_with_others_in_a_batch_is_of_one(database: Database, post: Post) -> None:
    pair, alone = post("b", "b"), post("b")
    singles = [NewNotification("shop", "offer", "t", recipients=("b",)) for _ in range(2)]
    with database.transaction() as conn:  # as those who post at the same moment are accepted together
        accepted = notifications.accept(conn, singles, NOW)
    with database.snapshot() as conn:
        batches = {row.id: row.batch for row in conn.execute(select(rows.c.id, rows.c.batch))}
    assert [batches[one] for one in pair] == [pair[0]] * 2
    assert [batches[one] for one in (*alone, *accepted)] == [None] * 3


def test_whatever_order_its_ids_are_given_in_they_arrive_in_the_batchs(
    database: Database, post: Post, items_of: Items
) -> None:
    ids = post(*"bbbbb")
    assert deliver(database, [ids[n] for n in (3, 1, 4, 0, 2)]).behind == []
    assert titles(items_of, "b") == list("01234")


def test_the_later_part_of_a_batch_waits_for_the_earlier_one(database: Database, post: Post, items_of: Items) -> None:
    ids = post(*"bbbb")
    second = deliver(database, ids[2:])
    assert (len(second.items), second.behind) == (0, ids[2:])
    assert ordered(database, ids[2:]) == Order([], [], ids[2:], [ids[2]])
    first = deliver(database, ids[:2])
    assert (len(first.items), first.batches) == (2, [ids[0]])
    assert following(database, ids[0]).direct == ids[2:]
    deliver(database, ids[2:])
    assert titles(items_of, "b") == list("0123")


def test_whoever_shares_no_recipient_with_what_waits_does_not_wait(
    database: Database, post: Post, items_of: Items
) -> None:
    [waits, _also_waits, *others] = post("xy", "y", "z", "z")
    delivered = deliver(database, [_also_waits, *others])
    assert delivered.behind == [_also_waits, *others]
    assert ordered(database, delivered.behind) == Order(others, [], [_also_waits], [_also_waits])
    assert len(deliver_ordered(database, delivered.behind).items) == 2
    assert (titles(items_of, "y"), titles(items_of, "z")) == ([], ["2", "3"])
    deliver(database, [waits])
    deliver(database, [_also_waits])
    assert titles(items_of, "y") == ["0", "1"]


def test_what_is_held_back_holds_back_in_turn(database: Database, post: Post) -> None:
    [_waits, *behind, other] = post("x", "xy", "yz", "z", "o")
    assert ordered(database, [*behind, other]) == Order([other], [], behind, behind[:1])


def test_what_goes_with_it_does_not_hold_it_back(database: Database, post: Post, items_of: Items) -> None:
    [_waits, *ids] = post("x", "y", "y", "yz", "z")
    assert ordered(database, ids).held == []
    deliver_ordered(database, ids[::-1])
    assert (titles(items_of, "y"), titles(items_of, "z")) == (["1", "2", "3"], ["3", "4"])


@pytest.mark.parametrize("fate", ["delivered_at", "cancelled_at", "parked_at"])
def test_what_is_over_or_given_up_holds_back_nothing(database: Database, post: Post, fate: str) -> None:
    ids = post("b", "b")
    with database.transaction() as conn:
        conn.execute(update(rows).where(rows.c.id == ids[0]).values({fate: NOW}))
    assert len(deliver(database, ids[1:]).items) == 1


def test_what_is_scheduled_holds_back_from_its_time_on(database: Database, post: Post) -> None:
    ids = post({"recipients": ("b",), "deliver_at": NOW + A_DAY}, "b", "b")
    assert len(deliver(database, ids[1:2]).items) == 1
    assert deliver(database, ids[2:], NOW + A_DAY).behind == ids[2:]


def test_what_has_expired_holds_back_nothing_from_then_on(database: Database, post: Post) -> None:
    ids = post({"recipients": ("b",), "expires_at": NOW + A_DAY}, "b")
    assert deliver(database, ids[1:]).behind == ids[1:]
    assert len(deliver(database, ids[1:], NOW + A_DAY).items) == 1


def test_other_batches_and_single_notifications_do_not_wait(
    database: Database, post: Post, accept: Callable[..., UUID]
) -> None:
    post("b", "b")
    other, single = post("b", "b"), accept(recipients=("b",))
    assert len(deliver(database, [single]).items) == 1
    assert len(deliver(database, other).items) == 2


def test_singles_and_batches_together_are_delivered_one_after_the_other(
    database: Database, post: Post, accept: Callable[..., UUID], items_of: Items
) -> None:
    single, ids = accept(recipients=("b",), title="single"), post("b", "b")
    left = [*ids, single]
    while left:
        delivered = deliver(database, left)
        assert delivered.behind == []
        left = delivered.remaining
    assert titles(items_of, "b") == ["single", "0", "1"]


def test_what_does_not_fit_into_a_transaction_keeps_its_order(database: Database, post: Post, items_of: Items) -> None:
    people = {"recipients": tuple(f"{n:03}" for n in range(400))}
    left = post(people, people, people, people, people)
    while left:
        delivered = deliver(database, left)
        assert delivered.behind == []
        left = delivered.remaining
    assert titles(items_of, "007") == list("01234")


@pytest.fixture
def subscribers(database: Database) -> None:
    with database.transaction() as conn:
        subscribe(conn, "boots", ["b", "c"], NOW)


TOPIC, HATS, EVERYONE = {"topic": "boots"}, {"topic": "hats"}, {"everyone": True}


@pytest.mark.usefixtures("subscribers")
def test_a_broadcast_holds_back_what_names_its_audience_until_it_is_fanned_out(
    database: Database, post: Post, items_of: Items
) -> None:
    wide, to_b, to_z = post(TOPIC, "b", "z")
    assert ordered(database, [to_b, to_z]) == Order([to_z], [], [to_b], [to_b])
    chunk = fan_out(database, wide)
    assert (chunk.finished, chunk.ended, len(chunk.items)) == (True, wide, 2)
    assert following(database, wide).direct == [to_b, to_z]
    deliver(database, [to_b])
    assert titles(items_of, "b") == ["0", "1"]


@pytest.mark.usefixtures("subscribers")
@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        ("b", TOPIC, True),
        ("z", TOPIC, False),
        ("z", EVERYONE, True),
        (EVERYONE, "z", True),
        (TOPIC, TOPIC, True),
        (TOPIC, HATS, True),
        (TOPIC, EVERYONE, True),
        (EVERYONE, TOPIC, True),
    ],
)
def test_whether_a_broadcast_waits_for_what_is_before_it(
    database: Database, post: Post, first: Any, second: Any, waits: bool
) -> None:
    ids = post(first, second)
    assert ordered(database, ids[1:]).held == (ids[1:] if waits else [])
    if second != "z":
        chunk = fan_out(database, ids[1])
        assert (chunk.held is not None, chunk.finished) == (waits, waits or second != EVERYONE)
    if first not in ("b", "z"):
        assert fan_out(database, ids[0]).held is None
    else:
        deliver(database, ids[:1])
    assert ordered(database, ids[1:]).held == []


@pytest.mark.usefixtures("subscribers")
def test_a_broadcast_goes_with_nothing(database: Database, post: Post) -> None:
    """It is not delivered by the statement that delivers what is before it."""
    ids = post("b", TOPIC, "b", "z", TOPIC)
    assert following(database, ids[0]) == Order([ids[0], ids[3]], [], [ids[1], ids[2], ids[4]], [ids[1], ids[2]])
    deliver(database, ids[:1])
    assert following(database, ids[0]).broadcasts == [ids[1]]


@pytest.mark.usefixtures("subscribers")
def test_of_the_broadcasts_of_a_batch_only_the_first_that_is_held_comes_back(database: Database, post: Post) -> None:
    ids = post(TOPIC, TOPIC, TOPIC)
    assert [ordered(database, [one]).first_held for one in ids] == [[], [ids[1]], []]


@pytest.mark.usefixtures("subscribers")
def test_a_broadcast_behind_another_waits_without_a_look_at_any_audience(database: Database, post: Post) -> None:
    ids = post("b", TOPIC, TOPIC)
    with statements(database) as executed:
        assert fan_out(database, ids[2]).held == Order([], [], ids[2:], [])
    assert not [one for one in executed if "subscriptions" in one]
    assert fan_out(database, ids[1]).held == Order([], [], [ids[1]], [ids[1]])


@pytest.mark.usefixtures("subscribers")
def test_of_broadcasts_alone_only_the_first_is_read_to_go_on(database: Database, post: Post) -> None:
    ids = post(*[TOPIC] * 20)
    with statements(database) as executed:
        assert following(database, ids[0]).broadcasts == ids[:1]
    assert not [one for one in executed if "subscriptions" in one]


@pytest.mark.usefixtures("subscribers")
def test_when_a_broadcast_ends_the_next_two_have_a_turn_soon(database: Database, post: Post) -> None:
    """In case nothing is enqueued after it."""
    ids = post(*[TOPIC] * 6)
    later = NOW + A_DAY
    with database.transaction() as conn:
        conn.execute(update(rows).values(enqueue_at=later))
        conn.execute(update(rows).where(rows.c.id == ids[2]).values(attempts=1))  # it has failed: its backoff stays
        conn.execute(update(rows).where(rows.c.id == ids[3]).values(parked_at=NOW))
    for _ in range(2):
        assert fan_out(database, ids[0]).finished
    with database.snapshot() as conn:
        turns = {row.id: row.enqueue_at for row in conn.execute(select(rows.c.id, rows.c.enqueue_at))}
    soon = NOW + RELAY_AFTER
    assert [turns[one] for one in ids[1:]] == [soon, later, later, later, later]


@pytest.mark.usefixtures("subscribers")
@pytest.mark.parametrize(
    "fate",
    [
        *({name: NOW} for name in ("delivered_at", "cancelled_at", "parked_at", "expires_at")),
        {"deliver_at": NOW + A_DAY},
    ],
    ids=lambda fate: next(iter(fate)),
)
def test_the_first_broadcast_is_the_first_that_waits(database: Database, post: Post, fate: dict[str, datetime]) -> None:
    ids, others = post(*[TOPIC] * 4), post("b", TOPIC, TOPIC)
    with database.transaction() as conn:
        conn.execute(update(rows).where(rows.c.id == ids[0]).values(fate))
        leading = broadcasts.leading(conn, [*ids, *others[1:]], NOW)
    assert (leading.first, leading.second) == ([ids[1], others[1]], [ids[2], others[2]])
    assert fan_out(database, ids[1]).held is None


@pytest.mark.usefixtures("subscribers")
def test_a_fan_out_that_has_begun_is_not_held_by_what_is_retried(database: Database, post: Post) -> None:
    ids = post("b", TOPIC)
    with database.transaction() as conn:
        conn.execute(update(rows).where(rows.c.id == ids[0]).values(parked_at=NOW))
        assert len(fanout.fan_out(conn, ids[1], 1, NOW).items) == 1
        conn.execute(update(rows).where(rows.c.id == ids[0]).values(parked_at=None))
    assert len(fan_out(database, ids[1]).items) == 1


class Counting(dict[str, set[str]]):
    """Counts how often something is looked up."""

    count = 0

    def get(self, *args: Any) -> Any:
        self.count += 1
        return super().get(*args)


@pytest.mark.parametrize(("before", "looks"), [(TOPIC, 1_000), (EVERYONE, 0), ("xy", 0)])
def test_recipients_are_compared_with_all_topics_by_one_look_each(before: Any, looks: int) -> None:
    audience, subscribed = batch_order._Audience(), batch_order._Subscribed(topics_of=Counting())
    for n in range(1 if before == "xy" else 1_000):
        named = {"recipients": before} if before == "xy" else {"recipients": None, **before, "topic": f"topic {n}"}
        audience.add(cast("Any", SimpleNamespace(**{"everyone": False, **named})))
    direct = cast("Any", SimpleNamespace(recipients=[f"person {n}" for n in range(1_000)]))
    assert audience.shares(direct, subscribed) is (before == EVERYONE)
    assert cast("Counting", subscribed.topics_of).count == looks

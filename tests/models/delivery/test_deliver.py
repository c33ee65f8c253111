"""Accepted notifications become inbox items, once, whatever is doubled, raced or late."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

from models.db.database import Database
from models.delivery import deliver as delivery
from models.delivery import fanout
from models.inbox import reading
from models.inbox.rendering import Change, Rendered
from models.notifications import accept as notifications
from models.notifications import conditions, published, relay
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER
from models.subscriptions import subscribe
from tests.models.conftest import NOW

Accept = Callable[..., UUID]
Deliver = Callable[..., list[Change]]
Items = Callable[..., list[Rendered]]


def fan_out(database: Database, id_: UUID, size: int, times: int | None = None) -> list[str]:
    """Run a fan-out to its end, or for some chunks; answers who received, in order."""
    reached, finished = [], False
    while not finished and times != 0:
        with database.transaction() as conn:
            chunk = fanout.fan_out(conn, id_, size, NOW)
        reached += chunk.items.recipients
        finished, times = chunk.finished, None if times is None else times - 1
    return reached


def test_an_item_arrives_with_the_next_version_and_exact_counts(receive: Deliver, items_of: Items) -> None:
    receive("bob", title="first")
    [change] = receive("bob", title="second", actor="alice", data={"order": 41})
    assert change.announced() | {"epoch": "…"} == {
        "version": 2,
        "epoch": "…",
        "change": "added",
        "item": items_of("bob")[0],
        "unread": 2,
        "unseen": 2,
    }
    assert change.rendered["item"]["data"] == {"order": 41}
    assert [item["seq"] for item in items_of("bob")] == [2, 1]


def test_each_recipient_has_a_number_line_of_their_own(receive: Deliver, items_of: Items) -> None:
    receive("bob")
    arrived = receive("bob", "alice")
    assert [(change.recipient_id, change.rendered["version"]) for change in arrived] == [("bob", 2), ("alice", 1)]
    assert len(items_of("alice")) == 1


def test_delivering_twice_changes_nothing(accept: Accept, deliver: Deliver, items_of: Items) -> None:
    id_ = accept(recipients=("bob",))
    assert len(deliver(id_)) == 1
    assert deliver(id_) == []
    assert deliver(id_, id_) == []
    assert [item["version"] for item in items_of("bob")] == [1]


def test_eight_workers_with_the_same_ids_deliver_once_and_never_deadlock(
    database: Database, accept: Accept, items_of: Items
) -> None:
    """Each takes them in another order, as redelivered and relayed batches do."""
    people = [f"person {n}" for n in range(10)]
    audiences = [tuple(people[n % 7 :] + people[: min(n % 3, n % 7)]) for n in range(30)]
    ids = [accept(recipients=audience) for audience in audiences]
    together = threading.Barrier(8)

    def work(turn: int) -> int:
        together.wait()
        with database.transaction() as conn:
            return len(delivery.deliver(conn, ids[turn:] + ids[:turn], NOW).items)

    with ThreadPoolExecutor(8) as pool:
        written = sum(pool.map(work, range(0, 32, 4)))
    assert written == sum(map(len, audiences))
    for person in people:
        seqs = [item["seq"] for item in items_of(person)]
        assert seqs == list(range(len(seqs), 0, -1)), f"{person} has a gap or a double"


def test_a_batch_keeps_its_order(accept: Accept, deliver: Deliver, items_of: Items) -> None:
    ids = [accept(recipients=("bob",), title=str(n)) for n in range(20)]
    deliver(*ids)
    assert [item["title"] for item in items_of("bob")] == [str(n) for n in reversed(range(20))]


def test_what_is_scheduled_is_not_delivered_before_its_time(accept: Accept, deliver: Deliver, items_of: Items) -> None:
    id_ = accept(recipients=("bob",), deliver_at=NOW + timedelta(hours=1))
    assert deliver(id_) == []
    assert items_of("bob") == []
    assert len(deliver(id_, now=NOW + timedelta(hours=1))) == 1


def test_what_expired_before_its_delivery_reaches_nobody(accept: Accept, deliver: Deliver, items_of: Items) -> None:
    id_ = accept(recipients=("bob",), expires_at=NOW + timedelta(seconds=1))
    assert deliver(id_, now=NOW + timedelta(seconds=2)) == []
    assert items_of("bob") == []


def test_a_topic_reaches_its_subscribers_and_nobody_else(
    database: Database, accept: Accept, receive: Deliver, items_of: Items
) -> None:
    receive("stranger")
    with database.transaction() as conn:
        subscribe(conn, "boots", ["bob", "alice", "carol"], NOW)
    assert fan_out(database, accept(topic="boots"), size=2) == ["alice", "bob", "carol"]
    assert [item["topic"] for item in items_of("carol")] == ["boots"]
    assert len(items_of("stranger")) == 1


def test_everyone_is_who_ever_received_subscribed_or_opened_an_inbox(
    database: Database, accept: Accept, receive: Deliver
) -> None:
    receive("received")
    with database.transaction() as conn:
        subscribe(conn, "boots", ["subscribed"], NOW)
        reading.open_inbox(conn, "opened", NOW)
    assert fan_out(database, accept(everyone=True), size=10) == ["opened", "received", "subscribed"]


def test_a_fan_out_that_was_killed_goes_on_where_it_was(database: Database, accept: Accept, items_of: Items) -> None:
    people = [f"{n:02}" for n in range(7)]
    with database.transaction() as conn:
        subscribe(conn, "boots", people, NOW)
    id_ = accept(topic="boots")
    assert fan_out(database, id_, size=3, times=1) == people[:3]
    assert fan_out(database, id_, size=3) == people[3:]
    assert fan_out(database, id_, size=3) == []
    assert all(len(items_of(person)) == 1 for person in people)


def test_two_workers_share_a_fan_out_without_overlap(database: Database, accept: Accept) -> None:
    people = [f"{n:03}" for n in range(100)]
    with database.transaction() as conn:
        subscribe(conn, "boots", people, NOW)
    id_ = accept(topic="boots")
    with ThreadPoolExecutor(4) as pool:
        reached = [one for part in pool.map(lambda _: fan_out(database, id_, size=7), range(4)) for one in part]
    assert sorted(reached) == people


def test_the_relay_finds_what_is_overdue_oldest_first_and_is_patient_with_it(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    first, second = accept(recipients=("bob",)), accept(recipients=("bob",))
    delivered = accept(recipients=("bob",))
    deliver(delivered)

    def due_after(seconds: float, limit: int = 10) -> set[UUID]:
        with database.transaction() as conn:
            return set(relay.due(conn, NOW + timedelta(seconds=seconds), limit).deliver)

    assert due_after(1) == set()
    assert due_after(5, limit=1) | due_after(5, limit=1) == {first, second}
    assert due_after(5) == set()
    assert due_after(9.9) == set()
    assert due_after(10) == {first, second}
    assert due_after(19) == set()
    assert due_after(20) == {first, second}


def test_the_relay_is_never_patient_for_more_than_five_minutes(database: Database, accept: Accept) -> None:
    turns, now, id_ = list[datetime](), NOW, accept(recipients=("bob",))
    while len(turns) < 12:
        now += timedelta(seconds=5)
        with database.transaction() as conn:
            if relay.due(conn, now, 10).deliver == [id_]:
                turns.append(now)
    gaps = [next_one - one for one, next_one in pairwise(turns)]
    assert gaps == sorted(gaps)
    assert gaps[-4:] == [conditions.RELAY_AFTER_AT_MOST] * 4 == [timedelta(minutes=5)] * 4


def test_the_relay_finds_what_is_scheduled_at_its_time(database: Database, accept: Accept) -> None:
    id_ = accept(recipients=("bob",), deliver_at=NOW + timedelta(hours=1))
    with database.transaction() as conn:
        assert relay.due(conn, NOW + timedelta(minutes=59), 10).deliver == []
        assert relay.undelivered(conn, NOW + timedelta(minutes=59)).count == 0
        assert relay.due(conn, NOW + timedelta(hours=1), 10).deliver == [id_]
        new = NewNotification("shop", "offer", "t", recipients=("bob",), deliver_at=NOW)
        assert notifications.is_due(new, NOW), "who accepts it at that moment need not wait for the relay"
        stuck = relay.undelivered(conn, NOW + timedelta(hours=1, seconds=3))
    assert (stuck.count, stuck.oldest_seconds) == (1, 3.0)


def test_what_is_to_be_delivered_in_the_past_waits_since_it_was_accepted(database: Database, accept: Accept) -> None:
    accept(recipients=("bob",), deliver_at=NOW - timedelta(days=365))
    with database.transaction() as conn:
        assert relay.undelivered(conn, NOW + timedelta(seconds=3)).oldest_seconds == 3.0
        assert relay.due(conn, NOW, 10).deliver == [], "who accepted it has just enqueued it"
        assert len(relay.due(conn, NOW + RELAY_AFTER, 10).deliver) == 1


def test_the_same_key_and_content_answers_the_first_id(accept: Accept) -> None:
    said: dict[str, Any] = {"recipients": ("bob",), "idempotency_key": "order 41"}
    first = accept(**said)
    assert accept(**said) == first
    assert accept(**said, producer_id="other shop") != first


def test_a_key_reused_for_another_content_is_refused_and_stores_nothing(database: Database, accept: Accept) -> None:
    accept(recipients=("bob",), idempotency_key="order 41")
    other = NewNotification("shop", "offer", "Other boots", recipients=("bob",), idempotency_key="order 41")
    beside = NewNotification("shop", "offer", "Beside it", recipients=("bob",))
    try:
        with database.transaction() as conn:
            notifications.accept(conn, [beside, other], NOW)
    except notifications.IdempotencyKeyReused:
        pass
    else:
        raise AssertionError("a reused key was accepted")
    with database.snapshot() as conn:
        assert relay.undelivered(conn, NOW).count == 1


def test_fifty_posts_at_once_with_one_key_make_one_notification(database: Database, accept: Accept) -> None:
    with ThreadPoolExecutor(16) as pool:
        ids = set(pool.map(lambda _: accept(recipients=("bob",), idempotency_key="once"), range(50)))
    assert len(ids) == 1
    with database.snapshot() as conn:
        assert relay.undelivered(conn, NOW).count == 1


def test_one_transaction_writes_a_bounded_number_of_items(database: Database, accept: Accept) -> None:
    people = tuple(f"{n:03}" for n in range(400))
    ids = [accept(recipients=people) for _ in range(4)]
    with database.transaction() as conn:
        first = delivery.deliver(conn, ids, NOW)
    with database.transaction() as conn:
        second = delivery.deliver(conn, first.remaining, NOW)
    assert (len(first.items), first.remaining) == (800, ids[2:])
    assert (len(second.items), second.remaining) == (800, [])


def test_more_recipients_than_the_bound_are_still_one_delivery(accept: Accept, deliver: Deliver) -> None:
    assert len(deliver(accept(recipients=tuple(map(str, range(1_001)))))) == 1_001


def test_what_expired_before_its_delivery_counts_no_recipients(database: Database, accept: Accept) -> None:
    id_ = accept(recipients=("bob",), expires_at=NOW + timedelta(seconds=1))
    with database.transaction() as conn:
        delivery.deliver(conn, [id_], NOW + timedelta(seconds=2))
        shown = published.one(conn, "shop", id_, NOW + timedelta(seconds=2))
    assert shown is not None
    assert (shown["status"], shown["delivered"]) == ("delivered", 0)


def test_the_end_of_the_year_9999_is_a_time_like_any_other(accept: Accept, deliver: Deliver) -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    [change] = deliver(accept(recipients=("bob",), expires_at=end))
    assert change.rendered["item"]["expires_at"] == "9999-12-31T23:59:59.000000Z"


def test_of_many_accepted_together_each_has_its_own_answer(database: Database, accept: Accept) -> None:
    first = accept(recipients=("bob",), idempotency_key="known", data={"a": ["☂", None, 1.5]})
    said = NewNotification("shop", "offer", "New boots", recipients=("bob",))
    known = replace(said, idempotency_key="known", data={"a": ["☂", None, 1.5]})
    twice = replace(said, idempotency_key="twice", title="Twice")
    with database.transaction() as conn:
        answers = notifications.accept_each(
            conn, [said, known, replace(known, body="other"), twice, twice, replace(twice, title="Other")], NOW
        )
    assert answers[1] == first
    assert answers[3] == answers[4]
    refused = [place for place, one in enumerate(answers) if isinstance(one, notifications.IdempotencyKeyReused)]
    assert refused == [2, 5]
    with database.snapshot() as conn:
        assert relay.undelivered(conn, NOW).count == 3


def test_batches_with_the_same_keys_in_another_order_never_deadlock(postgres: Database) -> None:
    titles = [str(n) for n in range(1_000)]
    new = [NewNotification("shop", "offer", one, recipients=("bob",), idempotency_key=one) for one in titles]
    together = threading.Barrier(4)

    def post(turn: int) -> list[Any]:
        mine = new[::turn]
        together.wait()
        with postgres.transaction() as conn:
            return notifications.accept_each(conn, mine, NOW)[::turn]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(post, [1, -1] * 2))
    assert answers[0] == answers[1] == answers[2] == answers[3]

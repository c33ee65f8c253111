"""What is recalled or has expired leaves every inbox, once, with its counts, whoever else is at work."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from models.db.database import Database
from models.delivery import deliver as delivery
from models.delivery import fanout
from models.delivery import withdraw as withdrawal
from models.delivery.fanout import Chunk
from models.delivery.withdraw import Withdrawn
from models.inbox import marking
from models.inbox import reading as inbox
from models.inbox.rendering import Change, Rendered
from models.notifications import accept as notifications
from models.notifications import cancel as cancel_module
from models.notifications import relay
from models.notifications.relay import Due
from models.subscriptions import subscribe
from tests.models.conftest import NOW
from tests.models.locks import wait_until_blocked
from tests.support import reading

Accept = Callable[..., UUID]
Deliver = Callable[..., list[Change]]
Items = Callable[..., list[Rendered]]

PEOPLE = ("alice", "bob", "carol", "dave", "erin")
AN_HOUR = timedelta(hours=1)
LATER = NOW + AN_HOUR


def withdraw(database: Database, id_: UUID, size: int = 10, now: datetime = LATER) -> Chunk:
    with database.transaction() as conn:
        return withdrawal.withdraw(conn, id_, size, now)


def cancel(database: Database, id_: UUID, now: datetime = LATER) -> None:
    with database.transaction() as conn:
        assert cancel_module.cancel(conn, "shop", id_, now)


def fan_out(database: Database, id_: UUID, size: int, now: datetime = NOW) -> Chunk:
    with database.transaction() as conn:
        return fanout.fan_out(conn, id_, size, now)


def due(database: Database, now: datetime) -> Due:
    with database.transaction() as conn:
        return relay.due(conn, now, 10)


def counts(database: Database, owner: str) -> tuple[int, int, int]:
    with database.snapshot() as conn:
        now = inbox.current_summary(conn, owner)
    return now.version, now.unread, now.unseen


@pytest.fixture
def to_boots(database: Database, accept: Accept) -> Callable[..., UUID]:
    """Accept one for a topic that all five subscribe to."""
    with database.transaction() as conn:
        subscribe(conn, "boots", PEOPLE, NOW)
    return lambda **fields: accept(topic="boots", **fields)


def test_what_is_recalled_leaves_the_inbox_and_the_counts_by_a_change_of_its_own(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    first, second = accept(recipients=("bob", "alice")), accept(recipients=("bob",))
    deliver(first, second)
    cancel(database, first)
    told = {change.recipient_id: change for change in withdraw(database, first).changes}
    assert told["bob"].rendered == {
        **{"version": 3, "change": "recalled", "seqs": [1], "through": None},
        "at": LATER.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    assert (told["bob"].unread, told["bob"].unseen) == (1, 1)
    assert [item["id"] for item in items_of("bob")] == [str(second)]
    assert (counts(database, "bob"), counts(database, "alice")) == ((3, 1, 1), (2, 0, 0))
    assert withdraw(database, first).changes == []


def test_what_is_recalled_before_it_expires_is_told_as_recalled(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=("bob",), expires_at=LATER)
    deliver(id_)
    cancel(database, id_, NOW)
    [change] = withdraw(database, id_, now=NOW).changes
    assert change.rendered["change"] == "recalled"


def test_what_was_read_before_it_is_recalled_does_not_count_again(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    ids = [accept(recipients=("bob",)) for _ in range(3)]
    deliver(*ids)
    with database.transaction() as conn:
        marking.set_state(conn, "bob", 1, now=NOW, read=True)
        marking.set_state(conn, "bob", 2, now=NOW, seen=True)
    for id_, left in zip(ids, [(6, 2, 1), (7, 1, 1), (8, 0, 0)], strict=True):
        cancel(database, id_)
        withdraw(database, id_)
        assert counts(database, "bob") == left


def test_many_that_name_their_recipients_leave_all_inboxes_together_each_by_a_change_of_its_own(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    ids = [accept(recipients=("bob", "alice")) for _ in range(4)]
    deliver(*ids)
    with database.transaction() as conn:
        marking.set_state(conn, "bob", 2, now=NOW, read=True)
        marking.set_state(conn, "bob", 3, now=NOW, seen=True)
    for id_ in ids[:3]:
        cancel(database, id_)
    with database.transaction() as conn:
        told = withdrawal.withdraw_named(conn, ids, LATER)
    assert told.remaining == []
    bobs = [change for change in told.changes if change.recipient_id == "bob"]
    assert [(one.version, one.rendered["version"], one.rendered["seqs"]) for one in bobs] == [
        (7, 7, [1]),
        (8, 8, [2]),
        (9, 9, [3]),
    ]
    assert [(one.unread, one.unseen) for one in bobs] == [(2, 1), (2, 1), (1, 1)]
    assert {one.rendered["change"] for one in told.changes} == {"recalled"}
    assert [item["id"] for item in items_of("bob")] == [item["id"] for item in items_of("alice")] == [str(ids[3])]
    assert (counts(database, "bob"), counts(database, "alice")) == ((9, 1, 1), (7, 1, 1))
    assert due(database, LATER + 24 * AN_HOUR) == Due([], [])
    with database.transaction() as conn:
        assert withdrawal.withdraw_named(conn, ids, LATER) == Withdrawn([], [])


def test_each_of_them_tells_why_and_those_of_many_are_left_to_steps(
    database: Database, accept: Accept, deliver: Deliver, to_boots: Accept
) -> None:
    wide, recalled, expired = to_boots(), accept(recipients=("bob",)), accept(recipients=("bob",), expires_at=LATER)
    fan_out(database, wide, 10)
    deliver(recalled, expired)
    for id_ in (wide, recalled):
        cancel(database, id_)
    with database.transaction() as conn:
        told = withdrawal.withdraw_named(conn, [wide, recalled, expired], LATER)
    assert [one.rendered["change"] for one in told.changes] == ["recalled", "expired"]
    assert len(withdraw(database, wide).changes) == len(PEOPLE)


def test_a_transaction_takes_a_bounded_number_of_items_and_at_least_one_notification(
    database: Database, accept: Accept, deliver: Deliver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "ITEMS_AT_ONCE", 3)
    ids = [accept(recipients=PEOPLE[:size]) for size in (1, 2, 1, 5)]
    deliver(*ids)
    for id_ in ids:
        cancel(database, id_)
    left, steps = ids, []
    while left:
        with database.transaction() as conn:
            told = withdrawal.withdraw_named(conn, left, LATER)
        steps.append(len(told.changes))
        left = told.remaining
    assert steps == [3, 1, 5]


def test_what_expires_is_withdrawn_at_its_time_and_not_before(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    id_ = accept(recipients=("bob",), expires_at=NOW + AN_HOUR)
    deliver(id_)
    a_moment = timedelta(microseconds=1)
    assert due(database, NOW + AN_HOUR - a_moment) == Due([], [])
    assert withdraw(database, id_, now=NOW + AN_HOUR - a_moment) == Chunk([], finished=True)
    assert len(items_of("bob")) == 1
    assert due(database, NOW + AN_HOUR) == Due([], [id_])
    [change] = withdraw(database, id_, now=NOW + AN_HOUR).changes
    assert change.rendered["change"] == "expired"
    assert items_of("bob") == []


def test_it_goes_step_by_step_and_puts_the_relay_off_while_it_is_at_work(
    database: Database, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    id_ = accept(recipients=PEOPLE)
    deliver(id_)
    cancel(database, id_)
    steps = [withdraw(database, id_, size=2) for _ in range(2)]
    assert [[change.recipient_id for change in step.changes] for step in steps] == [["alice", "bob"], ["carol", "dave"]]
    assert not any(step.finished for step in steps)
    assert due(database, LATER + fanout.FANOUT_LEASE - timedelta(seconds=1)) == Due([], [])
    assert due(database, LATER + fanout.FANOUT_LEASE) == Due([], [id_])
    assert withdraw(database, id_, size=2).finished
    assert due(database, LATER + 24 * AN_HOUR) == Due([], [])
    assert [person for person in PEOPLE if items_of(person)] == []


def test_a_fan_out_that_is_cancelled_half_way_leaves_nothing_behind(
    database: Database, to_boots: Accept, items_of: Items
) -> None:
    id_ = to_boots()
    assert len(fan_out(database, id_, size=2).items) == 2
    cancel(database, id_, NOW)
    assert fan_out(database, id_, size=2) == Chunk([], finished=True)
    assert len(withdraw(database, id_).changes) == 2
    assert [person for person in PEOPLE if items_of(person)] == []


def test_a_fan_out_that_expires_half_way_stops_there_and_is_withdrawn_at_that_moment(
    database: Database, to_boots: Accept, items_of: Items
) -> None:
    end = NOW + timedelta(seconds=10)
    id_ = to_boots(expires_at=end)
    fan_out(database, id_, size=2)
    assert fan_out(database, id_, size=2, now=end) == Chunk([], finished=True)
    assert due(database, end) == Due([], [id_])
    assert [change.recipient_id for change in withdraw(database, id_, now=end).changes] == ["alice", "bob"]
    assert [person for person in PEOPLE if items_of(person)] == []


def test_a_late_worker_whose_clock_is_behind_writes_nothing_after_the_withdrawal(
    database: Database, to_boots: Accept, accept: Accept, deliver: Deliver, items_of: Items
) -> None:
    end = NOW + timedelta(seconds=10)
    wide, named = to_boots(expires_at=end), accept(recipients=("bob",), expires_at=end)
    fan_out(database, wide, size=2)
    withdraw(database, wide, now=end)
    withdraw(database, named, now=end)
    assert fan_out(database, wide, size=2, now=NOW) == Chunk([], finished=True)
    assert deliver(named) == []
    assert [person for person in PEOPLE if items_of(person)] == []


@pytest.mark.parametrize("fields", [{"topic": "boots"}, {"recipients": ("bob",)}, {"deliver_at": NOW + 2 * AN_HOUR}])
def test_what_expires_undelivered_is_done_with_after_one_step(
    database: Database, accept: Accept, fields: dict[str, Any]
) -> None:
    id_ = accept(**{"everyone": "topic" not in fields and "recipients" not in fields, **fields}, expires_at=LATER)
    turn = fields.get("deliver_at", LATER)
    due(database, NOW + timedelta(seconds=5))  # the relay's patience does not carry it past its expiry
    assert due(database, turn) == Due([], [id_])
    assert withdraw(database, id_, now=turn) == Chunk([], finished=True)
    assert due(database, turn + 24 * AN_HOUR) == Due([], [])
    with database.snapshot() as conn:
        assert relay.undelivered(conn, turn + 24 * AN_HOUR).count == 0


def test_what_is_cancelled_undelivered_is_done_with_after_one_step(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=("bob",))
    cancel(database, id_, NOW)
    assert deliver(id_) == []
    assert due(database, LATER) == Due([], [id_])
    assert withdraw(database, id_) == Chunk([], finished=True)
    assert due(database, LATER + 24 * AN_HOUR) == Due([], [])


def test_what_is_cancelled_after_it_has_expired_is_not_enqueued_again(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=("bob",), expires_at=LATER)
    deliver(id_)
    withdraw(database, id_)
    cancel(database, id_)
    assert due(database, LATER + 24 * AN_HOUR) == Due([], [])


def test_who_was_away_meanwhile_is_told_only_that_it_is_gone(
    database: Database, accept: Accept, deliver: Deliver
) -> None:
    id_ = accept(recipients=("bob",))
    deliver(id_)
    cancel(database, id_)
    withdraw(database, id_)
    with database.snapshot() as conn:
        away = reading.changes(conn, "bob", 0, 10)
    assert [(change["version"], change["change"], change["seqs"]) for change in away.changes] == [(2, "recalled", [1])]
    assert (away.version, away.more) == (2, False)


def test_an_owner_who_deletes_the_item_meanwhile_does_not_end_the_withdrawal(postgres: Database) -> None:
    """Its step finds two holders, waits for the first, and takes one item out: there are three more."""
    with postgres.transaction() as conn:
        new = notifications.NewNotification("shop", "offer", "News", recipients=PEOPLE)
        [id_] = notifications.accept(conn, [new], NOW)
        delivery.deliver(conn, [id_], NOW)
    cancel(postgres, id_)
    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            marking.delete_item(conn, "alice", 1, now=NOW)
            step = pool.submit(withdraw, postgres, id_, 2)
            wait_until_blocked(postgres)
        assert [change.recipient_id for change in step.result().changes] == ["bob"]
    assert not step.result().finished
    assert len(withdraw(postgres, id_).changes) == 3
    assert (counts(postgres, "alice"), counts(postgres, "bob")) == ((2, 0, 0), (2, 0, 0))

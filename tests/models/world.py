"""A small world over the models: three recipients, what is published to them, and the devices that follow along.

A device runs the client's own rule; only where its pages and changes come from is the models instead of HTTP.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from client.replica import REMOVALS, Replica, Response, ResyncRequired
from models import retention
from models.db.database import Database
from models.delivery import batch_order, fanout
from models.delivery import deliver as delivery
from models.delivery import withdraw as withdrawal
from models.inbox import marking
from models.inbox import reading as inbox
from models.inbox.epoch import begin_new_epoch
from models.inbox.marking import Selection
from models.inbox.reading import Summary
from models.inbox.recount import recount
from models.inbox.rendering import Change, Rendered
from models.notifications import accept, cancel, relay
from models.notifications.accept import NewNotification
from models.notifications.conditions import RELAY_AFTER_AT_MOST
from models.retention import Retention
from models.schema.inbox import inbox_changes, inboxes
from models.schema.notifications import notifications as notification_rows
from models.subscriptions import subscribe
from tests.models import backup
from tests.models.conftest import NOW
from tests.support import reading
from tests.support.delivered import as_changes

RECIPIENTS = ("alice", "bob", "carol")
SUBSCRIBERS = {"boots": ("bob", "carol"), "hats": ("alice", "bob")}
RETENTION = Retention(notifications=timedelta(days=30), changes=timedelta(days=10))
ALL = 10_000  # more than there are


class Device(Replica):
    """A screen of a recipient. Its pages and its answers of changes are small, so that it needs several of each."""

    PAGE, CHANGES = 2, 3

    def __init__(self, database: Database, owner: str) -> None:
        super().__init__(self._see)
        self.owner = owner
        self.online = False
        self.under_way: list[str] = []  # announcements that it has not heard yet
        self._database = database
        self._seen: dict[str | None, int] = defaultdict(int)  # in each epoch, the newest change that it was told
        self._of: str | None = None  # the epoch of the last page
        self._asked = 0  # how often it asked for anything
        self._paged: dict[tuple[str | None, int], int] = {}  # and of each item the version in which a page brought it

    def fetch_page(self, cursor: str | None) -> Response:
        self._asked += 1
        with self._database.autocommit() as conn:
            before = None if cursor is None else int(cursor)
            page = reading.page(conn, self.owner, state="all", before=before, limit=self.PAGE)
        next_cursor = None if page.next_before is None else str(page.next_before)
        self._of = epoch = str(page.summary.epoch)
        self._paged |= {(epoch, item["seq"]): item["version"] for item in page.items}
        return _over_the_wire({**_counts(page.summary), "items": page.items, "next_cursor": next_cursor})

    def fetch_changes(self, since: int) -> Response:
        self._asked += 1
        try:
            with self._database.autocommit() as conn:
                found = reading.changes(conn, self.owner, since, self.CHANGES)
        except inbox.ResyncRequired:
            raise ResyncRequired from None
        assert found.version == (found.changes[-1]["version"] if found.changes else since), "it skips some"
        answer = {"changes": found.changes, "version": found.version, "more": found.more}
        return _over_the_wire({**_counts(found.summary), **answer})

    def load_older(self) -> None:
        super().load_older()
        assert self.epoch == self._of, "it shows two histories at once"

    def take(self, announcement: str) -> None:
        before, asked, told = (self.epoch, self.version), self._asked, json.loads(announcement)
        self.receive(told)
        assert self.epoch != before[0] or self.version >= before[1], "it went back"
        lacks_nothing = told["epoch"] == before[0] and told["version"] <= before[1] + 1
        assert not lacks_nothing or self._asked == asked, "it asked for what it was told"

    def _see(self, change: Rendered) -> None:
        assert change["version"] > self._seen[self.epoch], "it was told the same change twice"
        self._seen[self.epoch] = change["version"]
        for seq, item in self.items.items():
            assert item["version"] >= self._paged.get((self.epoch, seq), 0), "an item went back"

    def expect_the_same_as(self, fresh: reading.Page) -> None:
        """It shows the same items and counts as a fresh page, in every field, down to where it has loaded."""
        deepest = int(self._older) if self._older is not None else 0
        shown = {item["seq"]: item for item in fresh.items if item["seq"] >= deepest}
        assert self.items == shown
        assert {"unread": self.unread, "unseen": self.unseen, "version": self.version, "epoch": self.epoch} == _counts(
            fresh.summary
        )


@dataclass
class Published:
    """A notification as the world expects it, apart from the database."""

    id: UUID
    audience: tuple[str, ...]
    wide: bool  # it takes a fan-out
    delivered_from: datetime
    expires_at: datetime | None
    batch: UUID | None = None
    scheduled: bool = False
    cancelled: bool = False

    def ended(self, now: datetime) -> bool:
        return self.cancelled or (self.expires_at is not None and self.expires_at <= now)


class World:
    """Executes the operations, records their expected effects, and announces changes to the devices that are online."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.published: list[Published] = []
        self.arrived: dict[tuple[str, UUID], int] = {}  # the seq of each arrival
        self.present: set[tuple[str, UUID]] = set()
        self.floors: dict[str, int] = defaultdict(int)  # the newest forgotten change
        self.phone, self.laptop, self.tablet = (Device(database, "bob") for _ in range(3))
        self.devices = [self.phone, self.laptop, self.tablet, Device(database, "alice")]
        with database.transaction() as conn:
            backup.empty(conn)
            inbox.open_inboxes(conn, RECIPIENTS, NOW)
            for topic, people in SUBSCRIBERS.items():
                subscribe(conn, topic, people, NOW)
            self._told = {owner: inbox.current_summary(conn, owner) for owner in RECIPIENTS}  # by the last announcement
        self.epoch = self._told["bob"].epoch
        self.back_up()

    def back_up(self) -> None:
        with self.database.snapshot() as conn:
            self._backup = backup.back_up(conn)
        self._known_then = deepcopy((self.published, self.arrived, self.present, self.floors, self._told))

    def restore(self) -> None:
        """Put every row back and begin a new epoch. Devices know changes that are lost; the clock is not put back."""
        with self.database.transaction() as conn:
            backup.restore(conn, self._backup)
            self.epoch = begin_new_epoch(conn)
        self.published, self.arrived, self.present, self.floors, self._told = deepcopy(self._known_then)

    def publish(self, *news: dict[str, Any]) -> list[UUID]:
        new = [NewNotification(**{"producer_id": "shop", "title": "News", "batch": "news", **one}) for one in news]
        ids = self._accept(new)
        batch = ids[0] if len(ids) > 1 else None
        for id_, one in zip(ids, new, strict=True):
            audience = one.recipients or (RECIPIENTS if one.topic is None else SUBSCRIBERS[one.topic])
            self.published.append(
                Published(
                    id_,
                    audience,
                    not one.recipients,
                    one.deliver_at or self.now,
                    one.expires_at,
                    batch,
                    scheduled=one.deliver_at is not None,
                )
            )
        return ids

    def _accept(self, new: Sequence[NewNotification]) -> list[UUID]:
        """As the API does: single notifications in one statement, a batch in a transaction."""
        if len(new) > 1:
            with self.database.transaction() as conn:
                return accept.accept(conn, new, self.now)
        with self.database.autocommit_write() as conn:
            return [one for one in accept.accept_each(conn, new, self.now) if isinstance(one, UUID)]

    def deliver(self, ids: Sequence[UUID]) -> list[UUID]:
        """Returns the broadcasts."""
        left, wide, behind, ordered = ids, list[UUID](), list[UUID](), False
        while left:
            with self.database.autocommit_write() as conn:
                delivered = delivery.deliver(conn, left, self.now, ordered=ordered)
            changes = as_changes(delivered.items)
            self._expect_the_order(changes)
            self._arrive(changes)
            left, wide, behind = delivered.remaining, wide + delivered.broadcasts, behind + delivered.behind
            if behind and not left:
                with self.database.snapshot() as conn:
                    left, behind, ordered = batch_order.order_of(conn, behind, self.now).direct, [], True
        return wide

    def fan_out(self, id_: UUID, size: int) -> bool:
        with self.database.transaction() as conn:
            chunk = fanout.fan_out(conn, id_, size, self.now)
        self._arrive(as_changes(chunk.items))
        assert chunk.finished or not self._publication(id_).ended(self.now)
        return chunk.finished

    def deliver_wholly(self, ids: Sequence[UUID]) -> None:
        """Deliver them, and then the others of their batches."""
        while ids:
            before = len(self.arrived)
            for id_ in self.deliver(ids):
                while not self.fan_out(id_, size=2):
                    pass
            with self.database.snapshot() as conn:
                following = batch_order.next_of(conn, batch_order.batches_of(conn, ids), self.now)
            ids = following.direct + following.broadcasts if len(self.arrived) > before else []

    def withdraw(self, id_: UUID, size: int) -> bool:
        with self.database.transaction() as conn:
            chunk = withdrawal.withdraw(conn, id_, size, self.now)
        for change in chunk.changes:
            self._remove(change.recipient_id, change.rendered["seqs"])
        self.announce(chunk.changes)
        return chunk.finished

    def withdraw_named(self, ids: Sequence[UUID]) -> None:
        left = ids
        while left:
            with self.database.transaction() as conn:
                withdrawn = withdrawal.withdraw_named(conn, left, self.now)
            for change in withdrawn.changes:
                self._remove(change.recipient_id, change.rendered["seqs"])
            self.announce(withdrawn.changes)
            left = withdrawn.remaining

    def cancel(self, one: Published) -> None:
        with self.database.transaction() as conn:
            known = cancel.cancel(conn, "shop", one.id, self.now)
        one.cancelled = one.cancelled or known

    def set_state(self, owner: str, seq: int, **state: bool) -> None:
        with self.database.transaction() as conn:
            versions = marking.set_state(conn, owner, seq, now=self.now, **state)
        self._announce_versions(owner, versions or [])

    def mark(self, owner: str, change: str, which: Selection) -> None:
        before = {item["seq"]: item for item in self.fresh(owner).items}
        with self.database.transaction() as conn:
            marked = marking.mark(conn, owner, change, which, now=self.now)
        for item in self.fresh(owner).items:
            assert item[f"{change}_at"] if _fits(item, which) else item == before[item["seq"]]
        self._announce_versions(owner, [] if marked.version is None else [marked.version])

    def delete(self, owner: str, seq: int) -> None:
        with self.database.transaction() as conn:
            version = marking.delete_item(conn, owner, seq, now=self.now)
        if version is not None:
            self._remove(owner, [seq])
            self._announce_versions(owner, [version])

    def relay(self) -> bool:
        """One tick of the relay, and all tasks that it enqueues; returns whether there were any."""
        with self.database.transaction() as conn:
            due = relay.due(conn, self.now, ALL)
        self.deliver_wholly(due.deliver)
        self.withdraw_named([one for one in due.withdraw if one not in due.broadcasts and one not in due.redelivered])
        for id_ in due.withdraw:
            while not self.withdraw(id_, size=2):
                pass
        return bool(due.deliver or due.withdraw)

    def upkeep(self, batch: int) -> None:
        remembered = self._remembered()
        for step in (retention.expire_old, retention.delete_old, retention.forget_changes):
            done = batch
            while done == batch:
                with self.database.transaction() as conn:
                    done = step(conn, RETENTION, self.now, batch)
        for owner, version in remembered - self._remembered():
            self.floors[owner] = max(self.floors[owner], version)
        for one in self.published:
            if one.delivered_from < self.now - RETENTION.notifications:
                one.expires_at = min(one.expires_at or self.now, self.now)

    def announce(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._expect_the_next_version(change)
            for device in self.devices:
                if device.online and device.owner == change.recipient_id:
                    device.under_way.append(json.dumps(change.announced()))
        for owner in {change.recipient_id for change in changes}:
            with self.database.autocommit() as conn:
                present = inbox.current_summary(conn, owner)
            assert self._told[owner] == present, "the last announcement has other counts than the inbox"

    def _expect_the_next_version(self, change: Change) -> None:
        """Changes take versions without a gap; an arrival counts as one more, unread and unseen."""
        before = self._told[change.recipient_id]
        told = Summary(change.unread, change.unseen, change.version, change.epoch)
        assert told.version == before.version + 1
        if change.rendered["change"] == "added":
            assert (told.unread, told.unseen) == (before.unread + 1, before.unseen + 1)
        assert change.epoch == self.epoch, "who hears it would load the inbox anew"
        self._told[change.recipient_id] = told

    def come_to_rest(self) -> None:
        """Run the relay until nothing is due."""
        self.now += RELAY_AFTER_AT_MOST
        while self.relay():
            pass

    def fresh(self, owner: str) -> reading.Page:
        with self.database.autocommit() as conn:
            return reading.page(conn, owner, state="all", limit=ALL)

    def expect_rest(self) -> None:
        """The invariants whenever no task is in progress."""
        for owner in RECIPIENTS:
            self._expect_the_right_items(owner)
            assert expect_a_whole_log(self.database, owner) == self.floors[owner]
        expect_exact_counts(self.database)
        with self.database.snapshot() as conn:
            later = func.coalesce(notification_rows.c.deliver_at > self.now, False)
            alive = func.coalesce(notification_rows.c.expires_at > self.now, False)
            waiting = select(notification_rows.c.id).where(
                notification_rows.c.enqueue_at.is_not(None), ~(later | alive)
            )
            assert conn.scalars(waiting).all() == [], "the relay would never be done with these"

    def _expect_the_right_items(self, owner: str) -> None:
        shown = [UUID(item["id"]) for item in self.fresh(owner).items]
        assert len(shown) == len(set(shown)), "a notification is there twice"
        assert set(shown) == {id_ for recipient, id_ in self.present if recipient == owner}
        for one in self.published:
            if one.ended(self.now):
                assert one.id not in shown
            elif one.delivered_from <= self.now and owner in one.audience:
                assert (owner, one.id) in self.arrived

    def _expect_the_order(self, arrivals: Sequence[Change]) -> None:
        """One transaction writes items in the order in which their notifications were accepted, that of their ids."""
        for owner in RECIPIENTS:
            arrived = [UUID(one.rendered["item"]["id"]) for one in arrivals if one.recipient_id == owner]
            assert arrived == sorted(arrived), "it arrived before what was accepted earlier"

    def _arrive(self, arrivals: Sequence[Change]) -> None:
        for change in arrivals:
            place = change.recipient_id, UUID(change.rendered["item"]["id"])
            assert place not in self.arrived, "it was delivered twice"
            one = self._publication(place[1])
            assert one.delivered_from <= self.now, "it was delivered too early"
            assert not one.ended(self.now), "it was delivered too late"
            self._expect_its_batch_in_order(one, change.recipient_id)
            self.arrived[place] = change.rendered["version"]
            self.present.add(place)
        self.announce(arrivals)

    def _expect_its_batch_in_order(self, one: Published, recipient: str) -> None:
        """What was scheduled may come later than what came after it in the batch."""
        batch = {other.id for other in self.published if other.batch is not None and other.batch == one.batch}
        earlier_than = [id_ for owner, id_ in self.arrived if owner == recipient and id_ in batch and id_ > one.id]
        assert one.scheduled or not earlier_than, "a batch lost its order"

    def _publication(self, id_: UUID) -> Published:
        return next(one for one in self.published if one.id == id_)

    def _remove(self, owner: str, seqs: Sequence[int]) -> None:
        self.present -= {place for place, seq in self.arrived.items() if place[0] == owner and seq in seqs}

    def _announce_versions(self, owner: str, versions: Sequence[int]) -> None:
        with self.database.snapshot() as conn:
            self.announce(inbox.change_log(conn, owner, versions))

    def _remembered(self) -> set[tuple[str, int]]:
        with self.database.snapshot() as conn:
            rows = conn.execute(select(inbox_changes.c.recipient_id, inbox_changes.c.version))
            return {(row.recipient_id, row.version) for row in rows}


def expect_exact_counts(database: Database, *, repair: bool = False) -> None:
    assert [miscount for _, found in recount(database, repair=repair) for miscount in found] == []


def expect_a_whole_log(database: Database, owner: str) -> int:
    """Every version since the floor is there once: as a change, or as the arrival of what was removed later.

    Answers the floor: the newest change that is forgotten.
    """
    with database.snapshot() as conn:
        floor = conn.scalars(select(inboxes.c.changes_since).where(inboxes.c.recipient_id == owner)).one()
        log = reading.changes(conn, owner, floor, ALL)
    removed = [seq for change in log.changes if change["change"] in REMOVALS for seq in change["seqs"]]
    versions = [change["version"] for change in log.changes] + [seq for seq in removed if seq > floor]
    assert sorted(versions) == list(range(floor + 1, log.summary.version + 1))
    for change in log.changes:
        assert (change.get("through") or 0) < change["version"], "it speaks of what came later"
    return int(floor)


def _fits(item: Rendered, which: Selection) -> bool:
    named = item["seq"] in which.seqs if which.seqs is not None else item["seq"] <= (which.through or 0)
    return named and item["kind"] == (which.kind or item["kind"]) and item["topic"] == (which.topic or item["topic"])


def _counts(summary: Summary) -> Rendered:
    return {**asdict(summary), "epoch": str(summary.epoch)}


def _over_the_wire(answer: Response) -> Response:
    """As JSON, so that no device shares an object with another."""
    return dict(json.loads(json.dumps(answer)))

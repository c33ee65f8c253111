"""Model-based test: random sequences of operations, with devices that follow by announcements and by changes.

After every sequence each device shows the page that a new device would load, on PostgreSQL and on SQLite.
`BELFRY_EXAMPLES=5000 pytest tests/models/test_model.py` runs more sequences, with another seed each time.
"""

import os
from datetime import timedelta
from itertools import product
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import event

from models.db.database import Database
from models.inbox.marking import Selection
from tests.models.world import SUBSCRIBERS, Device, World

pytestmark = pytest.mark.slow

STEPS = 50
EXAMPLES = {"sqlite": 150, "postgresql": 100}  # always the same ones: half a minute each on an idle machine

SECONDS = st.sampled_from([1, 30, 3_600, 86_400])
AUDIENCES = st.sampled_from(
    [
        *({"recipients": people} for people in [("bob",), ("bob", "alice"), ("carol", "bob"), ("alice",)]),
        *({"topic": topic} for topic in SUBSCRIBERS),
        {"everyone": True},
    ]
)
NEWS = st.fixed_dictionaries(
    {
        "audience": AUDIENCES,
        "kind": st.sampled_from(["offer", "follow"]),
        "severity": st.sampled_from(["none", "high"]),
        "actor": st.sampled_from([None, "alice"]),
        "expires_in": st.none() | SECONDS,
        "deliver_in": st.sampled_from([None, None, None, 3_600]),
    }
)
STATES = st.sampled_from(
    [
        {"read": True},
        {"read": False},
        {"read": True},
        {"read": False},
        {"seen": True},
        {"archived": True},
        {"archived": False},
        {"read": False, "seen": True},
        {"read": True, "archived": False},
    ]
)
OWNERS = st.sampled_from(["bob", "bob", "bob", "alice", "carol"])
PICKS = st.integers(0, 30)  # counted from the newest
FATES = st.lists(st.tuples(st.sampled_from(["next", "next", "last", "lost", "doubled"]), PICKS), min_size=1, max_size=6)


class Interleavings(RuleBasedStateMachine):
    """Steps in any order; a quiet point is one of them, and the end another."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.database)

    @initialize(news=st.lists(NEWS, min_size=5, max_size=8))
    def begin(self, news: list[dict[str, Any]]) -> None:
        """With some items: an example may do without any rule, that of publishing among them.

        The devices come after them, so that they have not loaded all.
        """
        self.publish(news, at_once=True)
        for device in self.world.devices:
            device.sync()
            device.online = device is not self.world.tablet

    @rule(news=st.lists(NEWS, min_size=1, max_size=3), at_once=st.sampled_from([True, True, False]))
    def publish(self, news: list[dict[str, Any]], at_once: bool) -> None:
        ids = self.world.publish(*(self._timed(**one) for one in news))
        if at_once:
            self.world.deliver_wholly(ids)

    @rule(picks=st.lists(PICKS, min_size=1, max_size=4))
    def deliver(self, picks: list[int]) -> None:
        """A task that is late, doubled, or in another order than they were accepted."""
        if self.world.published:
            self.world.deliver([self._published(pick).id for pick in picks])

    @rule(pick=PICKS)
    def fan_out_a_little(self, pick: int) -> None:
        wide = [one for one in self.world.published if one.wide]
        if wide:
            self.world.fan_out(wide[-1 - pick % len(wide)].id, size=1)

    @rule(pick=PICKS)
    def cancel(self, pick: int) -> None:
        if self.world.published:
            self.world.cancel(self._published(pick))

    @rule(pick=PICKS)
    def withdraw_a_little(self, pick: int) -> None:
        if self.world.published:
            self.world.withdraw(self._published(pick).id, size=1)

    @rule(
        owner=OWNERS,
        picks=st.lists(PICKS, min_size=1, max_size=3),
        states=st.lists(STATES, min_size=1, max_size=4),
        scrolls=st.booleans(),
    )
    def change_few(self, owner: str, picks: list[int], states: list[dict[str, bool]], scrolls: bool) -> None:
        """One by one, perhaps several times. Who then loads a page has some of it before they hear of it."""
        for pick, state in product(picks, states):
            self.world.set_state(owner, self._seq(owner, pick), **state)
        for device in self.world.devices:
            if scrolls and device.owner == owner:
                device.load_older()

    @rule(owner=OWNERS, pick=PICKS)
    def delete(self, owner: str, pick: int) -> None:
        self.world.delete(owner, self._seq(owner, pick))

    @rule(owner=OWNERS, change=st.sampled_from(["seen", "read", "archived"]), picks=st.lists(PICKS, max_size=4))
    def mark_some(self, owner: str, change: str, picks: list[int]) -> None:
        self.world.mark(owner, change, Selection(seqs=[self._seq(owner, pick) for pick in picks]))

    @rule(
        owner=OWNERS,
        change=st.sampled_from(["seen", "read", "archived"]),
        pick=PICKS,
        beyond=st.sampled_from([0, 0, 0, 100]),
        kind=st.sampled_from([None, None, "offer"]),
        topic=st.sampled_from([None, None, "boots"]),
    )
    def mark_all(self, owner: str, change: str, pick: int, beyond: int, kind: str | None, topic: str | None) -> None:
        through = self._seq(owner, pick) + beyond
        self.world.mark(owner, change, Selection(through=through, kind=kind, topic=topic))

    @rule(seconds=SECONDS | st.just(12 * 86_400))
    def time_passes(self, seconds: int) -> None:
        self.world.now += timedelta(seconds=seconds)

    @rule()
    def relay(self) -> None:
        self.world.relay()

    @rule(batch=st.integers(1, 5))
    def upkeep(self, batch: int) -> None:
        self.world.upkeep(batch)

    @rule(restores=st.booleans())
    def back_up(self, restores: bool) -> None:
        if restores:
            self.world.restore()
        else:
            self.world.back_up()

    @rule(which=st.integers(0, 3), fates=FATES)
    def hear(self, which: int, fates: list[tuple[str, int]]) -> None:
        device = self.world.devices[which]
        for fate, pick in fates:
            self._meet(device, fate, pick)
        fresh = self.world.fresh(device.owner)
        if (device.epoch, device.version) == (str(fresh.summary.epoch), fresh.summary.version):
            device.expect_the_same_as(fresh)

    @rule(which=st.integers(0, 3), action=st.sampled_from(["sync", "load_older", "switch"]))
    def use(self, which: int, action: str) -> None:
        device = self.world.devices[which]
        if action == "load_older":
            device.load_older()
        elif action == "sync" and device.online:
            device.sync()
        elif action == "switch" and device is not self.world.tablet:
            device.online = not device.online
            device.under_way.clear()

    @rule(tablet_returns=st.booleans(), later=st.booleans())
    def rest(self, tablet_returns: bool, later: bool) -> None:
        self.world.come_to_rest()
        self.world.expect_rest()
        for device in self.world.devices:
            if device.online or (device is self.world.tablet and tablet_returns):
                device.sync()
                for announcement in device.under_way if later else ():
                    device.take(announcement)
                device.under_way.clear()
                device.expect_the_same_as(self.world.fresh(device.owner))

    def teardown(self) -> None:
        self.rest(tablet_returns=True, later=True)

    def _meet(self, device: Device, fate: str, pick: int) -> None:
        """One announcement meets its fate on the way."""
        if not device.under_way:
            return
        place = {"next": 0, "last": -1}.get(fate, pick % len(device.under_way))
        announcement = device.under_way[place]
        if fate != "doubled":
            del device.under_way[place]
        if fate != "lost":
            device.take(announcement)

    def _published(self, pick: int) -> Any:
        return self.world.published[-1 - pick % len(self.world.published)]

    def _seq(self, owner: str, pick: int) -> int:
        """Of an item that is there or was there; of none, now and then."""
        seqs = sorted((seq for (recipient, _), seq in self.world.arrived.items() if recipient == owner), reverse=True)
        return seqs[pick % (len(seqs) + 1)] if pick % (len(seqs) + 1) < len(seqs) else 1_000

    def _timed(
        self, audience: dict[str, Any], expires_in: int | None, deliver_in: int | None, **said: Any
    ) -> dict[str, Any]:
        times = {"expires_at": expires_in, "deliver_at": deliver_in}
        moments = {name: self.world.now + timedelta(seconds=s) for name, s in times.items() if s is not None}
        return {**said, **audience, **moments}


@pytest.fixture
def fast_database(database: Database) -> Database:
    """SQLite without waiting for the disk: this test does not check what survives a power failure."""
    if database.engine.dialect.name == "sqlite":
        event.listen(database.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return database


def profile(examples: int) -> settings:
    further = "BELFRY_EXAMPLES" in os.environ
    return settings(
        max_examples=int(os.environ.get("BELFRY_EXAMPLES", examples)),
        stateful_step_count=STEPS,
        derandomize=not further,
        database=None,
        deadline=None,
        print_blob=further,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.timeout(0)
def test_every_device_shows_what_a_fresh_page_shows_and_counts_equal_a_recount(fast_database: Database) -> None:
    Interleavings.database = fast_database
    run_state_machine_as_test(Interleavings, settings=profile(EXAMPLES[fast_database.engine.dialect.name]))

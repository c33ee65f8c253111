"""One fault in a running system: load, inject, hold, heal, wait until nothing is under way, judge."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from dev.processes import wait_for
from models.db.database import Database
from models.inbox.recount import recount
from tests.faults.house import House
from tests.faults.ledger import Entry, Verdict, bad, judge_screen
from tests.faults.load import Crowd, Load, Screen, mark_of
from tests.faults.pace import Pace
from tests.faults.registry import Broken, Fault, Impossible

INVARIANTS = ("I1", "I2", "I3", "I4", "I5")
PEOPLE = 20
MEMORY_GROWTH_MAX = 80 * 2**20  # bytes that one process may grow in all
SLOWEST_ANSWER = 10.0  # seconds; the API's own bound is three, on a less busy machine
GOOD_ANSWERS = {"200", "202", "204", "404", "503", "none"}  # 404: the item was deleted by another producer meanwhile
LISTED = 3  # findings that a cell lists; it also has their number

_labels = count(1)


@dataclass
class Outcome:
    """The findings of an episode by invariant; none where it held."""

    fault: str
    seed: str
    findings: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in INVARIANTS})
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    converged: float = 0.0  # seconds from the healing
    seconds: float = 0.0
    impossible: str = ""  # the reason why it was not injected

    @property
    def ok(self) -> bool:
        return not any(self.findings.values())


def play(house: House, fault: Fault, seed: str, pace: Pace, memory_before: dict[str, int]) -> Outcome:
    """Play a fault and return the findings. The system is repaired afterwards, unless the healing failed."""
    began = time.monotonic()
    outcome = Outcome(fault.name, seed)
    crowd = Crowd(house, f"{seed} {next(_labels)}", PEOPLE, pace)
    load = Load(house, crowd, seed)
    chance = random.Random(seed)
    with _online(crowd):
        load.start()
        try:
            time.sleep(pace.before * chance.uniform(0.5, 1.5))
            with _noted(outcome), fault.injected(house, crowd):
                time.sleep(fault.full if pace.full or fault.short is None else fault.short)
            healed = time.monotonic()
            time.sleep(pace.after)
        finally:
            load.stop()
        quiet = _wait_for_quiet(house, crowd, healed + pace.converged_within)
        outcome.converged = time.monotonic() - healed
        if not quiet:
            outcome.findings["I2"].append(f"not converged after {pace.converged_within:g} s")
        _judge(outcome, house, crowd, load, memory_before)
    outcome.seconds = time.monotonic() - began
    return outcome


@contextmanager
def _noted(outcome: Outcome) -> Iterator[None]:
    try:
        yield
    except Broken as broken:
        outcome.findings["I5"].append(str(broken))
    except Impossible as reason:
        outcome.impossible = str(reason)
    except Exception as error:  # the following faults may suffer from it: report it, and go on
        outcome.findings["I5"].append(f"the fault itself failed: {error!r}")


@contextmanager
def _online(crowd: Crowd) -> Iterator[None]:
    try:
        crowd.connect()
        yield
    finally:
        crowd.disconnect()


def _wait_for_quiet(house: House, crowd: Crowd, deadline: float) -> bool:
    """Whether everything was delivered and shown on every screen in time."""

    def quiet() -> bool:
        if house.query("SELECT 1 FROM notifications WHERE delivered_at IS NULL AND cancelled_at IS NULL LIMIT 1"):
            return False
        newest = _versions(house, crowd)
        return all(screen.last_change == newest.get(screen.owner, 0) for screen in crowd.screens)

    try:
        wait_for(quiet, deadline - time.monotonic(), "quiet")
    except TimeoutError:
        return False
    return True


def _versions(house: House, crowd: Crowd) -> dict[str, int]:
    found = house.query("SELECT recipient_id, version FROM inboxes WHERE recipient_id = ANY(%s)", crowd.names)
    return {str(owner): int(version) for owner, version in found}


def _judge(outcome: Outcome, house: House, crowd: Crowd, load: Load, memory_before: dict[str, int]) -> None:
    readers = [Screen(house, name, house.push_urls[0], 3600, 1) for name in crowd.names]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(_read_all, readers))
    inboxes = {reader.owner: [mark_of(item, reader.owner) for item in reader.items.values()] for reader in readers}
    entries = load.ledger.judge(inboxes)
    strangers = [entry for entry in entries if entry.verdict is Verdict.UNEXPECTED]
    outcome.verdicts.update(entry.verdict for entry in entries)
    _note(outcome, "I1", [entry for entry in bad(entries) if entry not in strangers])
    _note(outcome, "I4", strangers + _strangers_on_screens(crowd, load))
    _judge_screens(outcome, house, crowd, {reader.owner: reader for reader in readers})
    _judge_counts(outcome, house, readers)
    _judge_bounds(outcome, house, load, memory_before)


def _read_all(reader: Screen) -> None:
    """The whole inbox as the API returns it."""
    reader.sync()
    while reader.has_older:
        reader.load_older()


def _judge_screens(outcome: Outcome, house: House, crowd: Crowd, readers: dict[str, Screen]) -> None:
    newest = _versions(house, crowd)
    for screen in crowd.screens:
        versions = [change["version"] for change in list(screen.changes)]
        deleted = {seq for one in list(screen.changes) if one["change"] == "deleted" for seq in one["seqs"]}
        _note(outcome, "I2", bad(judge_screen(screen.owner, versions, newest.get(screen.owner, 0), deleted)))
        if screen.loads > 1:
            outcome.findings["I2"].append(f"{screen.owner} had to load anew")
        if screen.items != readers[screen.owner].items:
            outcome.findings["I2"].append(f"{screen.owner} shows other items than the API")


def _strangers_on_screens(crowd: Crowd, load: Load) -> list[Entry]:
    recipients = {attempt.mark: attempt.recipients for attempt in load.ledger.attempts}
    shown = [
        (screen.owner, mark_of(change["item"], screen.owner))
        for screen in crowd.screens
        for change in list(screen.changes)
        if change["change"] == "added"
    ]
    return [Entry(Verdict.UNEXPECTED, owner, mark) for owner, mark in shown if owner not in recipients.get(mark, ())]


def _judge_counts(outcome: Outcome, house: House, readers: list[Screen]) -> None:
    database = Database(house.postgresql.url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        wrong = [str(miscount) for _, found in recount(database, repair=False) for miscount in found]
    finally:
        database.dispose()
    for reader in readers:
        unread = sum(item["read_at"] is None for item in reader.items.values())
        unseen = sum(item["seen_at"] is None for item in reader.items.values())
        if (unread, unseen) != (reader.unread, reader.unseen):
            wrong.append(f"{reader.owner} is told {reader.unread}/{reader.unseen}, but has {unread}/{unseen}")
    _note(outcome, "I3", wrong)


def _judge_bounds(outcome: Outcome, house: House, load: Load, memory_before: dict[str, int]) -> None:
    outcome.statuses = load.statuses
    outcome.slowest = max(load.seconds, default=0.0)
    _note(
        outcome,
        "I5",
        [f"{number} × {status}" for status, number in load.statuses.items() if status not in GOOD_ANSWERS],
    )
    if outcome.slowest > SLOWEST_ANSWER:
        outcome.findings["I5"].append(f"an answer took {outcome.slowest:.1f} s")
    for name, now in house.memory().items():
        if now - memory_before[name] > MEMORY_GROWTH_MAX:
            outcome.findings["I5"].append(f"{name} grew by {(now - memory_before[name]) >> 20} MiB")


def _note(outcome: Outcome, invariant: str, findings: list[Entry] | list[str]) -> None:
    outcome.findings[invariant] += [str(finding) for finding in findings]

"""The ledger: attempts, the API's promises, the inboxes, the screens; and the verdict.

It knows no networks, processes or time, so its ability to fail is tested.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from threading import Lock


class Verdict(StrEnum):
    OK = "ok"
    LOST = "lost"
    DOUBLED = "doubled"
    UNEXPECTED = "unexpected"
    INDETERMINATE = "indeterminate"  # never answered: it may be there once, or not at all


BAD = {Verdict.LOST, Verdict.DOUBLED, Verdict.UNEXPECTED}


@dataclass
class Attempt:
    """One post, perhaps repeated under one key; `mark` identifies its items."""

    mark: str
    recipients: frozenset[str]
    ids: set[str] = field(default_factory=set)  # of the answers 202

    @property
    def promised(self) -> bool:
        return bool(self.ids)


@dataclass(frozen=True)
class Entry:
    """The outcome of one attempt, or of one version, for one recipient."""

    verdict: Verdict
    recipient: str
    what: str

    def __str__(self) -> str:
        return f"{self.verdict}: {self.what} for {self.recipient}"


class Ledger:
    """Attempts, noted from many threads."""

    def __init__(self) -> None:
        self._attempts: dict[str, Attempt] = {}
        self._deleted: dict[str, set[str]] = {}
        self._lock = Lock()

    @property
    def attempts(self) -> list[Attempt]:
        with self._lock:
            return list(self._attempts.values())

    def attempt(self, mark: str, recipients: Iterable[str]) -> Attempt:
        with self._lock:
            return self._attempts.setdefault(mark, Attempt(mark, frozenset(recipients)))

    def delete(self, owner: str, mark: str) -> None:
        """Note that the owner is about to delete this item. From now on it may be missing."""
        with self._lock:
            self._deleted.setdefault(owner, set()).add(mark)

    def judge(self, inboxes: Mapping[str, Sequence[str]]) -> list[Entry]:
        """One entry for each attempt and recipient, and one for each item that should not be there.

        `inboxes` holds the marks of all items of every recipient.
        """
        found = {owner: Counter(marks) for owner, marks in inboxes.items()}
        for owner, marks in self._deleted.items():
            for mark in marks:
                found[owner][mark] = max(1, found[owner][mark])
        entries = [entry for attempt in self.attempts for entry in _judge(attempt, found)]
        return entries + list(self._strangers(found))

    def _strangers(self, found: Mapping[str, Counter[str]]) -> Iterator[Entry]:
        for owner, marks in found.items():
            for mark in marks:
                attempt = self._attempts.get(mark)
                if attempt is None or owner not in attempt.recipients:
                    yield Entry(Verdict.UNEXPECTED, owner, mark)


def _judge(attempt: Attempt, found: Mapping[str, Counter[str]]) -> Iterator[Entry]:
    copies = {recipient: found.get(recipient, Counter())[attempt.mark] for recipient in attempt.recipients}
    kept = attempt.promised or any(copies.values())  # if it reached one recipient it was accepted, so it must reach all
    for recipient, count in copies.items():
        yield Entry(_verdict(count, kept, attempt), recipient, attempt.mark)


def _verdict(count: int, kept: bool, attempt: Attempt) -> Verdict:
    if count > 1 or len(attempt.ids) > 1:  # one key, two answers: two notifications
        return Verdict.DOUBLED
    if kept and count == 0:
        return Verdict.LOST
    return Verdict.OK if attempt.promised else Verdict.INDETERMINATE


def judge_screen(owner: str, versions: Sequence[int], newest: int, deleted: Container[int] = ()) -> list[Entry]:
    """A screen that began with an empty inbox must have applied the versions 1 to the newest, each once, in order.

    The arrival of an item that was deleted before the screen asked is not reported any more: only its `deleted` is.
    """
    times = Counter(versions)
    missing = [one for one in range(1, newest + 1) if not times[one] and one not in deleted]
    entries = [Entry(Verdict.LOST, owner, f"version {one}") for one in missing]
    entries += [Entry(Verdict.DOUBLED, owner, f"version {one}") for one, count in times.items() if count > 1]
    disorder = [later for earlier, later in pairwise(versions) if later < earlier]
    return entries + [Entry(Verdict.UNEXPECTED, owner, f"version {one} too late") for one in disorder]


def bad(entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.verdict in BAD]

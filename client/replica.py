"""The client's rule, and nothing else: no network, no clock.

The server numbers the changes of an inbox 1, 2, 3, … without gaps. A client applies the change that comes next, ignores
what it has already, and whenever something may be missing it fetches the changes since its own version. So it does not
matter whether a change is lost, doubled, or comes out of order. `web/client/replica.ts` is the same for browsers.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

Change = dict[str, Any]
Item = dict[str, Any]
Answer = dict[str, Any]

# What each change of state does to the times of an item. Read implies seen; archived implies read; what is so already
# keeps its time. An item that is made unread leaves the archive.
SETS = {"seen": ("seen_at",), "read": ("seen_at", "read_at"), "archived": ("seen_at", "read_at", "archived_at")}
CLEARS = {"unread": ("read_at", "archived_at"), "unarchived": ("archived_at",)}
REMOVALS = ("deleted", "recalled", "expired")
KNOWN = {"added", *REMOVALS, *SETS, *CLEARS}


class ResyncRequired(Exception):
    """The changes since that version are not kept (any more): load the inbox anew."""


class Replica(ABC):
    """One device's copy of an inbox: `items` by seq, `unread`, `unseen`, `version` and `epoch`; safe among threads.

    It holds all items from the newest down to where its last page ended, each exactly as the API shows it at `version`.
    The counts are those of the whole inbox. A subclass says where pages and changes come from; what that raises passes
    through `hear`, `sync` and `load_older`, and each of them may be called again. `on_change` is called with every
    change that is applied, in the order of versions, each once; not for what a page brings.
    """

    def __init__(self, on_change: Callable[[Change], object] = lambda _: None) -> None:
        self.items: dict[int, Item] = {}
        self.version = self.unread = self.unseen = 0
        self.epoch: str | None = None
        self._older: str | None = None
        self._on_change = on_change
        self._lock = threading.RLock()

    @abstractmethod
    def fetch_page(self, cursor: str | None) -> Answer:
        """What `GET /v1/inbox?state=all` answers: the newest items, or those that follow a cursor."""

    @abstractmethod
    def fetch_changes(self, since: int) -> Answer:
        """What `GET /v1/inbox/changes` answers. Raises `ResyncRequired`."""

    @property
    def has_older(self) -> bool:
        """Whether the inbox goes deeper than what is held."""
        return self._older is not None

    def hear(self, change: Change) -> None:
        """Take an announcement, as the socket brought it."""
        with self._lock:
            if change["epoch"] != self.epoch or change["version"] > self.version + 1 or change["change"] not in KNOWN:
                self.sync()
            elif change["version"] == self.version + 1:
                self._apply(change)
                self._arrive_at(change)

    def sync(self) -> None:
        """Fetch what this device lacks: the newest page the first time, the changes since then."""
        with self._lock:
            if self.epoch is None or not self._catch_up():
                self._load()

    def load_older(self) -> None:
        """Hold one page more, if the inbox goes deeper than what is held."""
        with self._lock:
            if self._older is None:
                return
            page = self.fetch_page(self._older)
            if page["epoch"] != self.epoch:
                self._load()
            else:
                # The page may be newer than `version`: what it has of the changes to come is told by its items' own.
                self._hold(page)

    def _catch_up(self) -> bool:
        """False when that is not possible, and the inbox is to be loaded anew."""
        more = True
        while more:
            try:
                answer = self.fetch_changes(self.version)
            except ResyncRequired:
                return False
            if answer["epoch"] != self.epoch or any(change["change"] not in KNOWN for change in answer["changes"]):
                return False
            for change in answer["changes"]:
                self._apply(change)
            more = answer["more"]
        self._arrive_at(answer)
        return True

    def _load(self) -> None:
        page = self.fetch_page(None)
        self.items = {}
        self.epoch = page["epoch"]
        self._hold(page)
        self._arrive_at(page)

    def _hold(self, page: Answer) -> None:
        self.items.update((item["seq"], item) for item in page["items"])
        self._older = page["next_cursor"]

    def _arrive_at(self, told: dict[str, Any]) -> None:
        """The counts belong to the version: they are replaced together, when all changes up to it are applied."""
        self.version, self.unread, self.unseen = told["version"], told["unread"], told["unseen"]

    def _apply(self, change: Change) -> None:
        name = change["change"]
        if name == "added":
            self.items[change["item"]["seq"]] = change["item"]
        elif name in REMOVALS:
            for item in list(self._concerned(change)):
                del self.items[item["seq"]]
        else:
            for item in self._concerned(change):
                _move(item, name, change)
        self.version = change["version"]
        self._on_change(change)

    def _concerned(self, change: Change) -> Iterable[Item]:
        """A change names its items by `seqs`, or means all up to `through`, narrowed by `kind` and `topic`."""
        if change["seqs"] is not None:
            return [self.items[seq] for seq in change["seqs"] if seq in self.items]
        filters = {name: change[name] for name in ("kind", "topic") if change.get(name) is not None}
        named = (item for seq, item in self.items.items() if seq <= change["through"])
        return [item for item in named if all(item[name] == value for name, value in filters.items())]


def _move(item: Item, state: str, change: Change) -> None:
    """Bring an item to a state and to the change's version, unless it is so already.

    An item that was fetched at a later version than this change's has it in it, whatever its state is since then.
    """
    sets = SETS.get(state, ())
    if item["version"] >= change["version"] or (sets and item[sets[-1]] is not None):
        return
    for name in sets:
        item[name] = item[name] or change["at"]
    for name in CLEARS.get(state, ()):
        item[name] = None
    item["version"] = change["version"]

"""The client's rule, without network and clock.

The server numbers the changes of an inbox 1, 2, 3, … without gaps. A client applies the change with the next version,
ignores older ones, and fetches the changes since its version whenever it may lack some. So changes may be lost,
repeated or reordered on their way. `web/client/state/replica.ts` is the same for browsers.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

Change = dict[str, Any]
Item = dict[str, Any]
Response = dict[str, Any]

# The times of an item that each change of state sets or clears. Read implies seen, and archived implies read; a time
# that is set already is kept. An item that becomes unread leaves the archive.
SETS = {"seen": ("seen_at",), "read": ("seen_at", "read_at"), "archived": ("seen_at", "read_at", "archived_at")}
CLEARS = {"unread": ("read_at", "archived_at"), "unarchived": ("archived_at",)}
REMOVALS = ("deleted", "recalled", "expired")
KNOWN = {"added", *REMOVALS, *SETS, *CLEARS}


class ResyncRequired(Exception):
    """The changes since that version are no longer kept: load the inbox again."""


class Replica(ABC):
    """One device's copy of an inbox: `items` by seq, `unread`, `unseen`, `version` and `epoch`. Safe among threads.

    It holds all items from the newest to the end of its last page, each exactly as the API shows it at `version`. The
    counts are those of the whole inbox. Subclasses fetch pages and changes; their errors pass through `receive`, `sync`
    and `load_older`, and each of these may be called again. `on_change` is called once with each change that is
    applied, in the order of versions, and not for the items of a page.
    """

    def __init__(self, on_change: Callable[[Change], object] = lambda _: None) -> None:
        self.items: dict[int, Item] = {}
        self.version = self.unread = self.unseen = 0
        self.epoch: str | None = None
        self._older: str | None = None
        self._on_change = on_change
        self._lock = threading.RLock()

    @abstractmethod
    def fetch_page(self, cursor: str | None) -> Response:
        """The response of `GET /v1/inbox?state=all`: the newest items, or those after a cursor."""

    @abstractmethod
    def fetch_changes(self, since: int) -> Response:
        """The response of `GET /v1/inbox/changes`. Raises `ResyncRequired`."""

    @property
    def has_older(self) -> bool:
        """Whether the inbox has older items than those held."""
        return self._older is not None

    def receive(self, change: Change) -> None:
        """Apply an announced change, or fetch the changes since `version` if it does not follow."""
        with self._lock:
            if change["epoch"] != self.epoch or change["version"] > self.version + 1 or change["change"] not in KNOWN:
                self.sync()
            elif change["version"] == self.version + 1:
                self._apply(change)
                self._set_version(change)

    def sync(self) -> None:
        """Fetch the newest page at first, and later the changes since `version`."""
        with self._lock:
            if self.epoch is None or not self._catch_up():
                self._load()

    def load_older(self) -> None:
        """Fetch one more page, if the inbox has older items than those held."""
        with self._lock:
            if self._older is None:
                return
            page = self.fetch_page(self._older)
            if page["epoch"] != self.epoch:
                self._load()
            else:
                # The page may be newer than `version`. The version of each item then shows which changes it has.
                self._add_page(page)

    def _catch_up(self) -> bool:
        """Fetch and apply changes; False if the inbox must be loaded again."""
        more = True
        while more:
            try:
                response = self.fetch_changes(self.version)
            except ResyncRequired:
                return False
            if response["epoch"] != self.epoch or any(change["change"] not in KNOWN for change in response["changes"]):
                return False
            for change in response["changes"]:
                self._apply(change)
            more = response["more"]
        self._set_version(response)
        return True

    def _load(self) -> None:
        page = self.fetch_page(None)
        self.items = {}
        self.epoch = page["epoch"]
        self._add_page(page)
        self._set_version(page)

    def _add_page(self, page: Response) -> None:
        self.items.update((item["seq"], item) for item in page["items"])
        self._older = page["next_cursor"]

    def _set_version(self, counted: dict[str, Any]) -> None:
        """Set version and counts together, after all changes up to that version are applied."""
        self.version, self.unread, self.unseen = counted["version"], counted["unread"], counted["unseen"]

    def _apply(self, change: Change) -> None:
        name = change["change"]
        if name == "added":
            self.items[change["item"]["seq"]] = change["item"]
        elif name in REMOVALS:
            for item in list(self._items_of(change)):
                del self.items[item["seq"]]
        else:
            for item in self._items_of(change):
                _set_state(item, name, change)
        self.version = change["version"]
        self._on_change(change)

    def _items_of(self, change: Change) -> Iterable[Item]:
        """The items of a change: those in `seqs`, or all up to `through`, filtered by `kind` and `topic`."""
        if change["seqs"] is not None:
            return [self.items[seq] for seq in change["seqs"] if seq in self.items]
        filters = {name: change[name] for name in ("kind", "topic") if change.get(name) is not None}
        older = (item for seq, item in self.items.items() if seq <= change["through"])
        return [item for item in older if all(item[name] == value for name, value in filters.items())]


def _set_state(item: Item, state: str, change: Change) -> None:
    """Bring an item to a state and to the change's version, unless it has that state already.

    An item that was fetched at a later version already includes the change.
    """
    sets = SETS.get(state, ())
    if item["version"] >= change["version"] or (sets and item[sets[-1]] is not None):
        return
    for name in sets:
        item[name] = item[name] or change["at"]
    for name in CLEARS.get(state, ()):
        item[name] = None
    item["version"] = change["version"]

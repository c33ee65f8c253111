"""A recipient's inbox on one device: kept up by the socket, caught up by REST, right whatever is lost or doubled.

    inbox = Inbox("http://127.0.0.1:8000", "http://127.0.0.1:8001", token, on_change=print)
    inbox.connect()

The rule: apply the change whose version is the next one; ignore those known already; on anything else, on (re)connect,
when told to `sync`, and now and then, ask the API for the changes since the version held.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import requests
import socketio

Change = dict[str, Any]
Item = dict[str, Any]

PAGE = 100
REQUEST_TIMEOUT_SECONDS = 10
SYNC_EVERY_SECONDS = 30.0  # the last announcement before a silence can be lost too

# What each change of state does to the times of an item. Read implies seen; archived implies read.
SETS = {"seen": ("seen_at",), "read": ("seen_at", "read_at"), "archived": ("seen_at", "read_at", "archived_at")}
CLEARS = {"unread": ("read_at", "archived_at"), "unarchived": ("archived_at",)}


class ApiError(Exception):
    """The API refused or could not be reached; `problem` is its problem+json, if it sent one."""

    def __init__(self, message: str, problem: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = problem or {}


class Inbox:
    """`items` by seq, `unread`, `unseen` and `version`, as of the last change applied.

    `on_change` is called with every change, in the order of versions, each once, from a background thread.
    """

    def __init__(
        self, api_url: str, push_url: str, token: str, *, on_change: Callable[[Change], object] = lambda _: None
    ) -> None:
        self.api_url = api_url
        self.push_url = push_url
        self.items: dict[int, Item] = {}
        self.version = self.unread = self.unseen = 0
        self.epoch: str | None = None
        self._token = token
        self._on_change = on_change
        self._lock = threading.RLock()
        self._online = threading.Event()
        self._socket = socketio.Client(handle_sigint=False)
        for event in ("notification", "inbox"):
            self._socket.on(event, self._hear)
        self._socket.on("sync", lambda _reason: self.sync())
        self._socket.on("connect", self.sync)

    def connect(self) -> None:
        """Go online; reconnects by itself from now on. Raises `socketio.exceptions.ConnectionError` when refused."""
        self.sync()
        self._online.set()
        self._socket.connect(self.push_url, auth=lambda: {"token": self._token}, transports=["websocket"])
        self._socket.start_background_task(self._sync_now_and_then)

    def disconnect(self) -> None:
        """Go offline; what was received stays."""
        self._online.clear()
        self._socket.disconnect()

    def sync(self) -> None:
        """Fetch what this device lacks: everything the first time, the changes since then. Raises `ApiError`."""
        with self._lock:
            if self.epoch is None:
                self._load()
            else:
                self._fetch_changes()

    def request(self, method: str, path: str, json: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Call the API as this inbox's owner. Raises `ApiError`."""
        headers["Authorization"] = f"Bearer {self._token}"
        try:
            answer = requests.request(
                method, self.api_url + path, json=json, headers=headers, timeout=REQUEST_TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise ApiError(f"{self.api_url} cannot be reached: {error}") from error
        body = answer.json() if answer.content else {}
        if not answer.ok:
            raise ApiError(f"{method} {path}: {answer.status_code} {body.get('detail') or body.get('code')}", body)
        return dict(body)

    def _hear(self, change: Change) -> None:
        with self._lock:
            if change["epoch"] != self.epoch or change["version"] > self.version + 1:
                self.sync()
            elif change["version"] == self.version + 1:
                self._apply(change)
                self._keep_counts(change)

    def _fetch_changes(self) -> None:
        more = True
        while more:
            try:
                answer = self.request("GET", f"/v1/inbox/changes?since={self.version}")
            except ApiError as error:
                if error.problem.get("code") != "resync_required":
                    raise
                return self._load()
            if answer["epoch"] != self.epoch:
                return self._load()
            for change in answer["changes"]:
                self._apply(change)
            self._keep_counts(answer)
            more = answer["more"]
        return None

    def _load(self) -> None:
        """Begin anew with the newest page; older items are paged when someone asks for them."""
        page = self.request("GET", f"/v1/inbox?state=all&limit={PAGE}")
        self.items = {item["seq"]: item for item in page["items"]}
        self.epoch = page["epoch"]
        self._keep_counts(page)

    def _apply(self, change: Change) -> None:
        self.version = change["version"]
        match change["change"]:
            case "added":
                self.items[change["item"]["seq"]] = change["item"]
            case "deleted" | "recalled" | "expired":
                for item in list(self._concerned(change)):
                    del self.items[item["seq"]]
            case state:
                for item in self._concerned(change):
                    _move(item, state, change)
        self._on_change(change)

    def _concerned(self, change: Change) -> Iterable[Item]:
        filters = {name: change[name] for name in ("kind", "topic") if change.get(name) is not None}
        for seq, item in self.items.items():
            named = seq in change["seqs"] if change["seqs"] is not None else seq <= change["through"]
            if named and all(item[name] == value for name, value in filters.items()):
                yield item

    def _keep_counts(self, told: dict[str, Any]) -> None:
        self.version, self.unread, self.unseen = told["version"], told["unread"], told["unseen"]

    def _sync_now_and_then(self) -> None:
        while self._online.is_set():
            self._socket.sleep(SYNC_EVERY_SECONDS)
            if self._socket.connected:
                self.sync()


def _move(item: Item, state: str, change: Change) -> None:
    """Bring an item to a state; what it already is keeps its time."""
    times = SETS.get(state, ())
    if times and item[times[-1]] is not None:
        return
    for name in times:
        item[name] = item[name] or change["at"]
    for name in CLEARS.get(state, ()):
        item[name] = None
    item["version"] = change["version"]

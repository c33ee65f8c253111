"""A recipient's inbox on one device, kept up to date by Socket.IO and REST, also when announcements are lost.

    inbox = Inbox("http://127.0.0.1:8000", "http://127.0.0.1:8001", token, on_change=print)
    inbox.connect()

It follows the client's rule (`client/replica.py`): it applies the change with the next version, and fetches the changes
it lacks at a gap, at each connect, at the event `sync`, and periodically.
"""

import random
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from client.ordered import OrderedClient
from client.replica import Change, Item, Replica, Response, ResyncRequired

__all__ = ["ApiError", "Change", "Inbox", "Item"]

PAGE = 100
REQUEST_TIMEOUT_SECONDS = 10
SYNC_EVERY_SECONDS = 30.0  # no later announcement reveals the loss of the last one
SYNC_RETRY_SECONDS = 1.0  # after a failed sync; doubled for each further failure
RECONNECT_WITHIN_SECONDS = 10.0  # spreads the requests to the API when a push server restarts


class ApiError(Exception):
    """The API refused the request or could not be reached. `problem` is its problem+json, or empty."""

    def __init__(self, message: str, problem: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = problem or {}


class Inbox(Replica):
    """Holds the newest 100 items at first, and every item delivered later; `load_older` fetches older ones.

    `token` is a token, or a function that returns a valid one; with a function the inbox stays online after a token
    expires. Both URLs may have a path under which a proxy serves Belfry. After a lost connection the client reconnects
    at a random time within `reconnect_within_seconds`, and later if that fails, so that the clients of a restarted
    server do not reconnect all at once. `on_change` is called from a background thread. `sync` and `load_older` raise
    `ApiError`.
    """

    def __init__(
        self,
        api_url: str,
        push_url: str,
        token: str | Callable[[], str],
        *,
        on_change: Callable[[Change], object] = lambda _: None,
        sync_every_seconds: float = SYNC_EVERY_SECONDS,
        reconnect_within_seconds: float = RECONNECT_WITHIN_SECONDS,
    ) -> None:
        super().__init__(on_change)
        self.api_url = api_url.rstrip("/")
        self.push_url = push_url.rstrip("/")
        self._token = token if callable(token) else lambda: token
        self._can_renew = callable(token)
        self._sync_every_seconds = sync_every_seconds
        self._offline = threading.Event()
        self._behind = threading.Event()
        self._socket = OrderedClient(
            handle_sigint=False,
            reconnection_delay=reconnect_within_seconds / 2,  # plus or minus the next value
            randomization_factor=reconnect_within_seconds / 2,  # socketio adds it in seconds, despite its name
            reconnection_delay_max=reconnect_within_seconds * 3,
        )
        for event in ("notification", "inbox"):
            self._socket.on(event, self._on_event)
        self._socket.on("sync", lambda _reason: self._try_sync())
        self._socket.on("token_expiring", self._renew)
        self._socket.on("connect", self._try_sync)

    def connect(self) -> None:
        """Connect, and reconnect until `disconnect`. Raises `socketio.exceptions.ConnectionError` when refused."""
        self.sync()
        origin, path = _socket_of(self.push_url)
        self._socket.connect(
            origin, auth=lambda: {"token": self._token()}, transports=["websocket"], socketio_path=path
        )
        self._offline = threading.Event()
        self._behind.clear()
        self._socket.start_background_task(self._sync_periodically, self._offline)

    def disconnect(self) -> None:
        """Disconnect; the items stay."""
        self._offline.set()
        self._behind.set()  # wakes the periodic sync, which ends
        self._socket.disconnect()

    def request(self, method: str, path: str, json: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Call the API as this inbox's owner. Raises `ApiError`."""
        headers["Authorization"] = f"Bearer {self._token()}"
        try:
            response = requests.request(
                method, self.api_url + path, json=json, headers=headers, timeout=REQUEST_TIMEOUT_SECONDS
            )
            body = response.json() if response.content else {}
        except requests.RequestException as error:
            raise ApiError(f"{self.api_url} cannot be reached: {error}") from error
        if not response.ok:
            raise ApiError(f"{method} {path}: {response.status_code} {body.get('detail') or body.get('code')}", body)
        return dict(body)

    def fetch_page(self, cursor: str | None) -> Response:
        from_cursor = "" if cursor is None else f"&cursor={quote(cursor, safe='')}"
        return self.request("GET", f"/v1/inbox?state=all&limit={PAGE}{from_cursor}")

    def fetch_changes(self, since: int) -> Response:
        try:
            return self.request("GET", f"/v1/inbox/changes?since={since}")
        except ApiError as error:
            if error.problem.get("code") == "resync_required":
                raise ResyncRequired from error
            raise

    def _on_event(self, change: Change) -> None:
        try:
            self.receive(change)
        except ApiError:
            self._behind.set()

    def _try_sync(self) -> None:
        try:
            self.sync()
            self._behind.clear()
        except ApiError:
            self._behind.set()

    def _renew(self, _expiring: object) -> None:
        """Send a new token. Without a function for one, the server disconnects when the token expires."""
        if self._can_renew:
            self._socket.emit("authenticate", {"token": self._token()})

    def _sync_periodically(self, offline: threading.Event) -> None:
        """Sync at random intervals, and with backoff while it fails."""
        retry_seconds = SYNC_RETRY_SECONDS
        while not offline.is_set():
            if self._behind.wait(_jittered(self._sync_every_seconds)):
                offline.wait(_jittered(retry_seconds))
                retry_seconds = min(retry_seconds * 2, self._sync_every_seconds)
            else:
                retry_seconds = SYNC_RETRY_SECONDS
            if not offline.is_set():
                self._try_sync()


def _socket_of(push_url: str) -> tuple[str, str]:
    """The origin and the Socket.IO path of a URL; socketio ignores the URL's own path."""
    parts = urlsplit(push_url)
    return parts._replace(path="").geturl(), f"{parts.path.rstrip('/')}/socket.io"


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1)  # noqa: S311

"""A recipient's inbox on one device: kept up by the socket, caught up by REST, right whatever is lost or doubled.

    inbox = Inbox("http://127.0.0.1:8000", "http://127.0.0.1:8001", token, on_change=print)
    inbox.connect()

It follows the client's rule (`client/replica.py`): it applies the change that comes next, and asks the API for what it
lacks when there is a gap, on (re)connect, when told to `sync`, and now and then.
"""

import random
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import requests

from client.ordered import OrderedClient
from client.replica import Answer, Change, Item, Replica, ResyncRequired

__all__ = ["ApiError", "Change", "Inbox", "Item"]

PAGE = 100
REQUEST_TIMEOUT_SECONDS = 10
SYNC_EVERY_SECONDS = 30.0  # the last announcement before a silence can be lost too
SYNC_AGAIN_SECONDS = 1.0  # after one that failed; then twice as long each time
RECONNECT_WITHIN_SECONDS = 10.0  # the clients of a server that restarts must not ask the API all in one second


class ApiError(Exception):
    """The API refused or could not be reached; `problem` is its problem+json, if it sent one."""

    def __init__(self, message: str, problem: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.problem = problem or {}


class Inbox(Replica):
    """The newest 100 items when it begins, and all that arrive from then on; `load_older` fetches what lies deeper.

    `token` is one, or a function that answers one that is good for a while; then the inbox stays online beyond the end
    of any of them. Both URLs may have a path below which a proxy serves Belfry. A connection that is lost is made again
    at a random moment within `reconnect_within_seconds`, and later where that fails, so that the clients of a server
    that restarts do not come all at once. `on_change` is called from a background thread. `sync` and `load_older` raise
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
        self._renews = callable(token)
        self._sync_every_seconds = sync_every_seconds
        self._offline = threading.Event()
        self._behind = threading.Event()
        self._socket = OrderedClient(
            handle_sigint=False,
            reconnection_delay=reconnect_within_seconds / 2,  # give or take as much: at any moment until then
            randomization_factor=reconnect_within_seconds / 2,  # in seconds, whatever its name says
            reconnection_delay_max=reconnect_within_seconds * 3,
        )
        for event in ("notification", "inbox"):
            self._socket.on(event, self._hear)
        self._socket.on("sync", lambda _reason: self._try_to_sync())
        self._socket.on("token_expiring", self._renew)
        self._socket.on("connect", self._try_to_sync)

    def connect(self) -> None:
        """Go online; reconnects by itself from now on. Raises `socketio.exceptions.ConnectionError` when refused."""
        self.sync()
        origin, path = _socket_of(self.push_url)
        self._socket.connect(
            origin, auth=lambda: {"token": self._token()}, transports=["websocket"], socketio_path=path
        )
        self._offline = threading.Event()
        self._behind.clear()
        self._socket.start_background_task(self._sync_now_and_then, self._offline)

    def disconnect(self) -> None:
        """Go offline; what was received stays."""
        self._offline.set()
        self._behind.set()  # wakes who waits for it
        self._socket.disconnect()

    def request(self, method: str, path: str, json: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
        """Call the API as this inbox's owner. Raises `ApiError`."""
        headers["Authorization"] = f"Bearer {self._token()}"
        try:
            answer = requests.request(
                method, self.api_url + path, json=json, headers=headers, timeout=REQUEST_TIMEOUT_SECONDS
            )
            body = answer.json() if answer.content else {}
        except requests.RequestException as error:
            raise ApiError(f"{self.api_url} cannot be reached: {error}") from error
        if not answer.ok:
            raise ApiError(f"{method} {path}: {answer.status_code} {body.get('detail') or body.get('code')}", body)
        return dict(body)

    def fetch_page(self, cursor: str | None) -> Answer:
        follows = "" if cursor is None else f"&cursor={quote(cursor, safe='')}"
        return self.request("GET", f"/v1/inbox?state=all&limit={PAGE}{follows}")

    def fetch_changes(self, since: int) -> Answer:
        try:
            return self.request("GET", f"/v1/inbox/changes?since={since}")
        except ApiError as error:
            if error.problem.get("code") == "resync_required":
                raise ResyncRequired from error
            raise

    def _hear(self, change: Change) -> None:
        try:
            self.hear(change)
        except ApiError:
            self._behind.set()

    def _try_to_sync(self) -> None:
        try:
            self.sync()
            self._behind.clear()
        except ApiError:
            self._behind.set()

    def _renew(self, _expiring: object) -> None:
        """With one token only, the server hangs up when that has expired."""
        if self._renews:
            self._socket.emit("authenticate", {"token": self._token()})

    def _sync_now_and_then(self, offline: threading.Event) -> None:
        """Never in step with other clients; sooner when the last attempt failed."""
        again = SYNC_AGAIN_SECONDS
        while not offline.is_set():
            if self._behind.wait(_jittered(self._sync_every_seconds)):
                offline.wait(_jittered(again))
                again = min(again * 2, self._sync_every_seconds)
            else:
                again = SYNC_AGAIN_SECONDS
            if not offline.is_set():
                self._try_to_sync()


def _socket_of(push_url: str) -> tuple[str, str]:
    """The origin and the path at which Socket.IO connects; it ignores the path of a URL."""
    parts = urlsplit(push_url)
    return parts._replace(path="").geturl(), f"{parts.path.rstrip('/')}/socket.io"


def _jittered(seconds: float) -> float:
    return seconds * random.uniform(0.5, 1)  # noqa: S311

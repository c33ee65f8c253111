"""Clients that use only python-socketio and do not catch up, unlike `client.inbox`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import socketio

from dev.processes import wait_for
from tests.support.compose_processes import token

WEBSOCKET = ("websocket",)
POLLING = ("polling",)
STOCK = ("polling", "websocket")  # polls first, then upgrades


class Screen:
    """A connected client of `sub`, which reconnects automatically."""

    def __init__(self, url: str, sub: str, transports: Sequence[str] = WEBSOCKET, *, token_in_query: bool = False):
        self.items: list[dict[str, Any]] = []
        self.client = socketio.Client(handle_sigint=False, reconnection_delay=0.1, reconnection_delay_max=1)
        self.drops = 0
        self.client.on("disconnect", self._count_drop)
        self.client.on("notification", lambda payload: self.items.append(payload["item"]))
        address = f"{url}?{urlencode({'token': token(sub)})}" if token_in_query else url
        auth = None if token_in_query else {"token": token(sub)}
        self.client.connect(address, auth=auth, transports=list(transports), wait_timeout=10)

    @property
    def transport(self) -> str:
        return str(self.client.transport())

    def _count_drop(self, _reason: str) -> None:
        self.drops += 1

    def expect(self, id_: str, timeout: float = 20) -> None:
        wait_for(lambda: id_ in [item["id"] for item in list(self.items)], timeout, f"notification {id_} on a screen")


@contextmanager
def screens(
    count: int, url: str, sub: str, transports: Sequence[str] = WEBSOCKET, *, token_in_query: bool = False
) -> Iterator[list[Screen]]:
    """Open this many clients of one user, one after another; they are closed afterwards."""
    opened: list[Screen] = []
    try:
        while len(opened) < count:
            opened.append(Screen(url, sub, transports, token_in_query=token_in_query))
        yield opened
    finally:
        for screen in opened:
            screen.client.disconnect()

"""Users with devices, and producers, of a running stack."""

from typing import Any
from urllib.parse import quote

import requests

from client.inbox import Change, Inbox
from dev.processes import wait_for
from dev.stack import Stack
from tests.support.stack import token_for

TIMEOUT = 20.0  # seconds


class Device:
    """A client that follows an inbox, and the changes that it received."""

    def __init__(self, owner: str, stack: Stack, push_url: str | None = None, sync_every_seconds: float = 30) -> None:
        self.changes: list[Change] = []
        url = push_url or stack.push_url
        self.inbox = Inbox(
            stack.api_url, url, token_for(owner), on_change=self.changes.append, sync_every_seconds=sync_every_seconds
        )
        self.inbox.connect()

    @property
    def versions(self) -> list[int]:
        return [change["version"] for change in self.changes]

    @property
    def arrived(self) -> list[dict[str, Any]]:
        return [change["item"] for change in self.changes if change["change"] == "added"]

    def expect_item(self, **fields: Any) -> dict[str, Any]:
        """Wait until an item with these fields has arrived on this device."""

        def found() -> dict[str, Any] | None:
            matching = (item for item in list(self.arrived) if all(item[name] == fields[name] for name in fields))
            return next(matching, None)

        item = wait_for(found, TIMEOUT, f"an item with {fields}; there is {self.arrived}")
        assert item is not None
        return item

    def close(self) -> None:
        self.inbox.disconnect()


class Person:
    """A user or a producer that calls the API."""

    def __init__(self, name: str, stack: Stack, *scopes: str) -> None:
        self.name = name
        self.stack = stack
        self.headers = {"Authorization": f"Bearer {token_for(name, *scopes)}"}
        self.session = requests.Session()

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> requests.Response:
        return self.session.request(
            method, self.stack.api_url + path, json=json, headers=self.headers | headers, timeout=10
        )

    def ok(self, method: str, path: str, json: Any = None, **headers: str) -> dict[str, Any]:
        response = self.call(method, path, json, **headers)
        assert response.ok, f"{method} {path}: {response.status_code} {response.text}"
        return dict(response.json()) if response.content else {}

    def follow(self, target: str) -> str:
        return str(self.ok("POST", "/v1/follows", {"target": target})["id"])

    def message(self, to: str, text: str) -> str:
        return str(self.ok("POST", "/v1/messages", {"to": to, "text": text})["id"])

    def notify(self, **fields: Any) -> str:
        return str(self.ok("POST", "/v1/notifications", {"kind": "offer", "title": "New boots", **fields})["id"])

    def subscribe(self, topic: str) -> None:
        self.ok("PUT", f"/v1/subscriptions/{quote(topic, safe='')}")

    def items(self, state: str = "all") -> list[dict[str, Any]]:
        """All items of the inbox, newest first, from all pages."""
        found, path = [], f"/v1/inbox?state={state}&limit=100"
        cursor: str | None = ""
        while cursor is not None:
            page = self.ok("GET", path + (f"&cursor={cursor}" if cursor else ""))
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    def summary(self) -> dict[str, Any]:
        return self.ok("GET", "/v1/inbox/summary")

    def expect_stored(self, count: int) -> list[dict[str, Any]]:
        """Wait until the inbox holds this many items."""
        wait_for(lambda: len(self.items()) >= count, TIMEOUT, f"{count} items in {self.name}'s inbox")
        return self.items()

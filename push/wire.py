"""What crosses the exchange and the socket: names, rooms, and the announcement, for the announcer and the server alike.

A message on the exchange is the JSON text `{"method": "announce", "announcements": [[recipient_id, payload], …]}`.
A revocation is `{"method": "revoke", "user_id": …, "revoked_before": seconds since 1970}`.
Beside them the server understands the stock messages of `socketio.KombuManager` (`{"method": "emit", …}` and so on).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

EXCHANGE = "belfry"
NAMESPACE = "/"
ANNOUNCE = "announce"
REVOKE = "revoke"

# A push server handles one message at a time between two looks at its sockets: a few milliseconds each, not more.
MESSAGE_MAX_ANNOUNCEMENTS = 500
MESSAGE_MAX_BYTES = 256 * 1024


@dataclass(frozen=True)
class Announcement:
    """One change of one recipient's inbox; `payload` is complete, as the socket contract has it."""

    recipient_id: str
    payload: dict[str, Any]

    @property
    def event(self) -> str:
        return event_of(self.payload["change"])


@dataclass(frozen=True)
class Revocation:
    """Every token of this user that was issued before this moment is refused."""

    user_id: str
    revoked_before: datetime


def room_of(recipient_id: str) -> str:
    """The room of a recipient. The prefix keeps an id from ever being the name of another client's own room."""
    return "user:" + recipient_id


def event_of(change: str) -> str:
    """The Socket.IO event that carries this kind of change."""
    return "notification" if change == "added" else "inbox"


def encode(announcements: Iterable[Announcement]) -> Iterator[str]:
    """Pack announcements, in order, into as few messages as the bounds allow; a single larger one travels alone."""
    entries: list[str] = []
    size = 0
    for announcement in announcements:
        entry = json.dumps([announcement.recipient_id, announcement.payload], separators=(",", ":"))
        full = len(entries) == MESSAGE_MAX_ANNOUNCEMENTS or size + len(entry) > MESSAGE_MAX_BYTES
        if entries and full:
            yield _message(entries)
            entries, size = [], 0
        entries.append(entry)
        size += len(entry)
    if entries:
        yield _message(entries)


def decode(message: Mapping[str, Any]) -> Iterator[Announcement]:
    """The announcements of a parsed message, in order. Raises `ValueError` at the first one that is none."""
    entries = message.get("announcements")
    if not isinstance(entries, list):
        raise ValueError("announcements is not a list")
    for entry in entries:
        match entry:
            case [str(recipient_id), {"change": str()} as payload]:
                yield Announcement(recipient_id, payload)
            case _:
                raise ValueError("an announcement is not [recipient_id, payload with a change]")


def encode_revocation(revocation: Revocation) -> str:
    """One message."""
    moment = revocation.revoked_before.timestamp()
    return json.dumps({"method": REVOKE, "user_id": revocation.user_id, "revoked_before": moment})


def decode_revocation(message: Mapping[str, Any]) -> Revocation:
    """The revocation of a parsed message. Raises `ValueError` when it is none."""
    match message:
        case {"user_id": str(user_id), "revoked_before": int() | float() as seconds}:
            try:
                return Revocation(user_id, datetime.fromtimestamp(seconds, UTC))
            except (OverflowError, OSError) as error:
                raise ValueError("revoked_before is no time") from error
    raise ValueError("a revocation lacks its user_id or its revoked_before")


def _message(entries: list[str]) -> str:
    return f'{{"method":"{ANNOUNCE}","announcements":[{",".join(entries)}]}}'

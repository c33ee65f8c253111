"""What crosses the exchange and the socket: names, rooms, and the announcement, for the announcer and the server alike.

A message on the exchange is JSON: `{"method": "announce", "announcements": [[recipient_id, payload], …]}`. Items that
arrive are announced to all their recipients together, what these share once: `{"method": "arrive", "epoch": …,
"items": [item, …], "to": [[recipient_id, place in items, version, unread, unseen], …]}`.
A revocation is `{"method": "revoke", "user_id": …, "revoked_before": seconds since 1970}`.
Beside them the server understands the stock messages of `socketio.KombuManager` (`{"method": "emit", …}` and so on).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from typing import Any
from uuid import UUID

EXCHANGE = "belfry"
NAMESPACE = "/"
ANNOUNCE = "announce"
ARRIVE = "arrive"
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
class Arrival:
    """One item that arrived at one recipient. `item` lacks `seq` and `version`; recipients share one object."""

    recipient_id: str
    item: dict[str, Any]
    version: int
    unread: int
    unseen: int
    epoch: UUID


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


def encode_arrivals(arrivals: Sequence[Arrival]) -> Iterator[str]:
    """As `encode`; each message has an item once, whoever receives it."""
    batch = _Batch()
    for arrival in arrivals:
        if not batch.takes(arrival):
            yield batch.message()
            batch = _Batch()
            batch.takes(arrival)
    if batch.entries:
        yield batch.message()


def decode_arrivals(message: Mapping[str, Any], is_here: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    """Each recipient who is here, with the payload of the event as JSON. Raises `ValueError` at what is no arrival."""
    match message:
        case {"epoch": str(epoch), "items": list(items), "to": list(entries)}:
            ends: dict[int, str] = {}
        case _:
            raise ValueError("arrivals lack their epoch, their items or whom they are for")
    begin = f',"epoch":{encode_basestring_ascii(epoch)},"change":"added","item":{{"seq":'
    for entry in entries:
        match entry:
            case [str(recipient_id), int(place), int(version), int(unread), int(unseen)] if 0 <= place < len(items):
                if is_here(recipient_id):
                    end = ends.get(place) or ends.setdefault(place, _after_version(items[place]))
                    item = f'{begin}{version:d},"version":{version:d},{end}'
                    yield recipient_id, f'{{"version":{version:d}{item},"unread":{unread:d},"unseen":{unseen:d}}}'
            case _:
                raise ValueError("an arrival is not [recipient_id, place, version, unread, unseen]")


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


class _Batch:
    """Arrivals for one message."""

    def __init__(self) -> None:
        self.entries: list[str] = []
        self._items: list[str] = []
        self._places: dict[int, int] = {}
        self._size = 0
        self._epoch = ""

    def takes(self, arrival: Arrival) -> bool:
        """False when it is full; it takes one, however large."""
        place = self._places.get(id(arrival.item))
        item = json.dumps(arrival.item, separators=(",", ":")) if place is None else ""
        recipient = encode_basestring_ascii(arrival.recipient_id)
        place = len(self._items) if place is None else place
        entry = f"[{recipient},{place},{arrival.version},{arrival.unread},{arrival.unseen}]"
        size = self._size + len(item) + len(entry)
        if self.entries and (len(self.entries) == MESSAGE_MAX_ANNOUNCEMENTS or size > MESSAGE_MAX_BYTES):
            return False
        if item:
            self._places[id(arrival.item)] = place
            self._items.append(item)
        self._size, self._epoch = size, str(arrival.epoch) if not self.entries else self._epoch
        self.entries.append(entry)
        return True

    def message(self) -> str:
        head = f'{{"method":"{ARRIVE}","epoch":"{self._epoch}","items":[{",".join(self._items)}]'
        return f'{head},"to":[{",".join(self.entries)}]}}'


def _after_version(item: Any) -> str:
    if not isinstance(item, dict) or not item:
        raise ValueError("an item is not an object, or empty")
    return json.dumps(item, separators=(",", ":"))[1:]

"""What crosses the exchange and the socket: names, rooms, and the announcement, for the announcer and the server alike.

A message on the exchange is JSON: `{"method": "announce", "announcements": [[recipient_id, payload], …]}`. Items that
arrive are announced to all their recipients together, what these share once and the rest column by column: `{"method":
"arrive", "epoch": …, "items": [item, …], "places": [place in items, …], "recipients": [recipient_id, …], "versions":
[…], "unread": […], "unseen": […]}`.
A revocation is `{"method": "revoke", "user_id": …, "revoked_before": seconds since 1970}`.
A probe, which a push server sends to see that messages still come through to it, is `PROBE`.
Beside them the server understands the stock messages of `socketio.KombuManager` (`{"method": "emit", …}` and so on).
"""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from lib.rendered_json import array, members_format, members_of, object_format, object_of, render_ascii

EXCHANGE = "belfry"
NAMESPACE = "/"
ANNOUNCE = "announce"
ARRIVE = "arrive"
REVOKE = "revoke"
# An answer to an emit of a server that does not exist: push servers of every version ignore it without a log line.
PROBE = '{"method":"callback","host_id":"nobody"}'
ROOM_PREFIX = "user:"
COLUMNS = ("places", "versions", "unread", "unseen")  # of arrivals, beside their recipients

# A push server handles one message at a time between two looks at its sockets: a few milliseconds each, not more.
MESSAGE_MAX_ANNOUNCEMENTS = 500
MESSAGE_MAX_BYTES = 256 * 1024

_ANNOUNCE = object_format(method=f'"{ANNOUNCE}"', announcements="%s")
_ARRIVE = members_format(method=f'"{ARRIVE}"', epoch='"%s"', items="%s")
_ITEM = object_of(members_format(seq="%d", version="%d"), "%s")
_ADDED = object_format(version="%d", epoch="%s", change='"added"', item=_ITEM, unread="%d", unseen="%d")


@dataclass(frozen=True)
class Announcement:
    """One change of one recipient's inbox; `payload` is complete, as the socket contract has it."""

    recipient_id: str
    payload: dict[str, Any]

    @property
    def event(self) -> str:
        return event_of(self.payload["change"])


@dataclass(frozen=True)
class Arrivals:
    """Items that arrived, in order: an entry of each column for each. `items` are JSON without `seq` and `version`."""

    items: Sequence[str]
    places: list[int]  # which of the items it is
    recipients: list[str]
    versions: list[int]
    unread: list[int]
    unseen: list[int]
    epoch: UUID


@dataclass(frozen=True)
class Revocation:
    """Every token of this user that was issued before this moment is refused."""

    user_id: str
    revoked_before: datetime


def room_of(recipient_id: str) -> str:
    """The room of a recipient. The prefix keeps an id from ever being the name of another client's own room."""
    return ROOM_PREFIX + recipient_id


def event_of(change: str) -> str:
    """The Socket.IO event that carries this kind of change."""
    return "notification" if change == "added" else "inbox"


def encode(announcements: Iterable[Announcement]) -> Iterator[str]:
    """Pack announcements, in order, into as few messages as the bounds allow; a single larger one travels alone."""
    entries: list[str] = []
    size = 0
    for announcement in announcements:
        entry = render_ascii([announcement.recipient_id, announcement.payload])
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


def encode_arrivals(arrivals: Arrivals) -> Iterator[str]:
    """As `encode`; each message has an item once, whoever receives it."""
    start = 0
    while start < len(arrivals.places):
        part = slice(start, _end(arrivals, start))
        yield _arrivals_message(arrivals, part)
        start = part.stop


def decode_arrivals(message: Mapping[str, Any], rooms: Container[str]) -> Iterator[tuple[str, str]]:
    """Those of the rooms that something is for, each time with the payload of the event as JSON.

    Raises `ValueError` at what is no arrival.
    """
    match message:
        case {"epoch": str(epoch), "items": list(items), "recipients": list(recipients)}:
            rendered: dict[int, str] = {}
        case _:
            raise ValueError("arrivals lack their epoch, their items or their recipients")
    rendered_epoch = render_ascii(epoch)
    rest = _columns(message, len(recipients))
    for at in _places_of(rooms, recipients):
        match [column[at] for column in rest]:
            case [int(place), int(version), int(unread), int(unseen)] if 0 <= place < len(items):
                members = rendered.get(place) or rendered.setdefault(place, _members_of_item(items[place]))
                payload = _ADDED % (version, rendered_epoch, version, version, members, unread, unseen)
                yield room_of(recipients[at]), payload
            case _:
                raise ValueError("an arrival is not a place among the items, a version and two counts")


def encode_revocation(revocation: Revocation) -> str:
    """One message."""
    moment = revocation.revoked_before.timestamp()
    return render_ascii({"method": REVOKE, "user_id": revocation.user_id, "revoked_before": moment})


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
    return _ANNOUNCE % array(entries)


def _end(arrivals: Arrivals, start: int) -> int:
    """Up to where there is place in a message that begins here: for one at least, however large."""
    places = arrivals.places
    seen: set[int] = set()
    size = 0
    for at in range(start, min(start + MESSAGE_MAX_ANNOUNCEMENTS, len(places))):
        if places[at] not in seen:
            seen.add(places[at])
            size += len(arrivals.items[places[at]])
        if size > MESSAGE_MAX_BYTES and at > start:
            return at
    return min(start + MESSAGE_MAX_ANNOUNCEMENTS, len(places))


def _arrivals_message(arrivals: Arrivals, part: slice) -> str:
    places = arrivals.places[part]
    new_place = {place: n for n, place in enumerate(dict.fromkeys(places))}
    columns = {name: getattr(arrivals, name)[part] for name in ("recipients", *COLUMNS)}
    columns["places"] = [new_place[place] for place in places]
    items = array(arrivals.items[place] for place in new_place)
    return object_of(_ARRIVE % (arrivals.epoch, items), members_of(render_ascii(columns)))


def _columns(message: Mapping[str, Any], length: int) -> list[list[Any]]:
    """All but the recipients."""
    columns = [message.get(name) for name in COLUMNS]
    whole = [column for column in columns if isinstance(column, list) and len(column) == length]
    if len(whole) < len(COLUMNS):
        raise ValueError("a column of the arrivals is missing, or has another length than the others")
    return whole


def _places_of(rooms: Container[str], recipients: list[Any]) -> list[int]:
    """Most are elsewhere or away: looking for one is what each costs."""
    try:
        return [at for at, recipient in enumerate(recipients) if ROOM_PREFIX + recipient in rooms]
    except TypeError:
        raise ValueError("the recipient of an arrival is none") from None


def _members_of_item(item: Any) -> str:
    if not isinstance(item, dict) or not item:
        raise ValueError("an item is not an object, or empty")
    return members_of(render_ascii(item))

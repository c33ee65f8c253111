"""The messages on the exchange, and the rooms and events of the socket, for the announcer and the push server alike.

Messages are JSON:
- Changes: `{"method": "announce", "announcements": [[recipient_id, payload], …]}`.
- Delivered items: `{"method": "arrive", "epoch": …, "items": [item, …], "places": [index in items, …], "recipients":
  [recipient_id, …], "versions": […], "unread": […], "unseen": […]}`. An item is sent once for all its recipients; the
  other members are columns with an entry for each recipient.
- A revocation: `{"method": "revoke", "user_id": …, "revoked_before": seconds since 1970}`.
- `PROBE`, which a push server publishes to see whether messages still reach it.

Push servers also accept the messages of a stock `socketio.KombuManager` (`{"method": "emit", …}` and so on).
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lib.rendering.delivered_items import DeliveredItems
from lib.rendering.rendered_json import array, members_format, members_of, object_format, object_of, render_ascii

EXCHANGE = "belfry"
NAMESPACE = "/"
ANNOUNCE = "announce"
ARRIVE = "arrive"
REVOKE = "revoke"
# An acknowledgement for a server that does not exist: every push server ignores it without a log line.
PROBE = '{"method":"callback","host_id":"nobody"}'
ROOM_PREFIX = "user:"
COLUMNS = ("places", "versions", "unread", "unseen")  # of delivered items, beside the recipients

# A push server serves its sockets between two messages: handling one must take a few milliseconds at most.
MESSAGE_MAX_ANNOUNCEMENTS = 500
MESSAGE_MAX_BYTES = 256 * 1024

_ANNOUNCE = object_format(method=f'"{ANNOUNCE}"', announcements="%s")
_ARRIVE = members_format(method=f'"{ARRIVE}"', epoch='"%s"', items="%s")
_ITEM = object_of(members_format(seq="%d", version="%d"), "%s")
_ADDED = object_format(version="%d", epoch="%s", change='"added"', item=_ITEM, unread="%d", unseen="%d")


@dataclass(frozen=True)
class Announcement:
    """One change of one recipient's inbox. `payload` is the complete payload of the Socket.IO event."""

    recipient_id: str
    payload: dict[str, Any]

    @property
    def event(self) -> str:
        return event_of(self.payload["change"])


@dataclass(frozen=True)
class Revocation:
    """Every token that the user was issued before this time is refused."""

    user_id: str
    revoked_before: datetime


def room_of(recipient_id: str) -> str:
    """The room of a recipient. The prefix keeps it apart from the rooms that Socket.IO names by a client's sid."""
    return ROOM_PREFIX + recipient_id


def event_of(change: str) -> str:
    """The Socket.IO event that carries this kind of change."""
    return "notification" if change == "added" else "inbox"


def encode(announcements: Iterable[Announcement]) -> Iterator[str]:
    """Pack announcements, in order, into as few messages as the limits allow. One that exceeds them travels alone."""
    entries: list[str] = []
    size = 0
    for announcement in announcements:
        entry = render_ascii([announcement.recipient_id, announcement.payload])
        is_full = len(entries) == MESSAGE_MAX_ANNOUNCEMENTS or size + len(entry) > MESSAGE_MAX_BYTES
        if entries and is_full:
            yield _ANNOUNCE % array(entries)
            entries, size = [], 0
        entries.append(entry)
        size += len(entry)
    if entries:
        yield _ANNOUNCE % array(entries)


def decode(message: Mapping[str, Any]) -> Iterator[Announcement]:
    """The announcements of a parsed message, in order. Raises `ValueError` at the first invalid one."""
    entries = message.get("announcements")
    if not isinstance(entries, list):
        raise ValueError("announcements is not a list")
    for entry in entries:
        match entry:
            case [str(recipient_id), {"change": str()} as payload]:
                yield Announcement(recipient_id, payload)
            case _:
                raise ValueError("an announcement is not [recipient_id, payload with a change]")


def encode_items(delivered: DeliveredItems) -> Iterator[str]:
    """As `encode`; a message has an item once for all its recipients."""
    start = 0
    while start < len(delivered):
        part = slice(start, _end_of_message(delivered, start))
        yield _encode_part(delivered, part)
        start = part.stop


def decode_items(message: Mapping[str, Any], rooms: Container[str]) -> Iterator[tuple[str, str]]:
    """Of a parsed message the recipients' rooms that are in `rooms`, each with its rendered payload.

    Raises `ValueError` at an invalid message.
    """
    match message:
        case {"epoch": str(epoch), "items": list(items), "recipients": list(recipients)}:
            rendered: dict[int, str] = {}
        case _:
            raise ValueError("delivered items lack their epoch, their items or their recipients")
    rendered_epoch = render_ascii(epoch)
    columns = _columns(message, len(recipients))
    for at in _positions_in(rooms, recipients):
        match [column[at] for column in columns]:
            case [int(place), int(version), int(unread), int(unseen)] if 0 <= place < len(items):
                members = rendered.get(place) or rendered.setdefault(place, _members_of_item(items[place]))
                payload = _ADDED % (version, rendered_epoch, version, version, members, unread, unseen)
                yield room_of(recipients[at]), payload
            case _:
                raise ValueError("a delivered item is not a place among the items, a version and two counts")


def encode_revocation(revocation: Revocation) -> str:
    moment = revocation.revoked_before.timestamp()
    return render_ascii({"method": REVOKE, "user_id": revocation.user_id, "revoked_before": moment})


def decode_revocation(message: Mapping[str, Any]) -> Revocation:
    """The revocation of a parsed message. Raises `ValueError` when it is invalid."""
    match message:
        case {"user_id": str(user_id), "revoked_before": int() | float() as seconds}:
            try:
                return Revocation(user_id, datetime.fromtimestamp(seconds, UTC))
            except (OverflowError, OSError) as error:
                raise ValueError("revoked_before is not a time") from error
    raise ValueError("a revocation lacks its user_id or its revoked_before")


def _end_of_message(delivered: DeliveredItems, start: int) -> int:
    """The end of the entries that fit into a message beginning at `start`; at least one entry does."""
    places = delivered.places
    seen: set[int] = set()
    size = 0
    for at in range(start, min(start + MESSAGE_MAX_ANNOUNCEMENTS, len(places))):
        if places[at] not in seen:
            seen.add(places[at])
            size += len(delivered.items[places[at]])
        if size > MESSAGE_MAX_BYTES and at > start:
            return at
    return min(start + MESSAGE_MAX_ANNOUNCEMENTS, len(places))


def _encode_part(delivered: DeliveredItems, part: slice) -> str:
    places = delivered.places[part]
    new_place = {place: n for n, place in enumerate(dict.fromkeys(places))}
    columns = {name: getattr(delivered, name)[part] for name in ("recipients", *COLUMNS)}
    columns["places"] = [new_place[place] for place in places]
    items = array(delivered.items[place] for place in new_place)
    return object_of(_ARRIVE % (delivered.epoch, items), members_of(render_ascii(columns)))


def _columns(message: Mapping[str, Any], length: int) -> list[list[Any]]:
    """`COLUMNS` of the message."""
    columns = [message.get(name) for name in COLUMNS]
    valid = [column for column in columns if isinstance(column, list) and len(column) == length]
    if len(valid) < len(COLUMNS):
        raise ValueError("a column of the delivered items is missing or has another length than the others")
    return valid


def _positions_in(rooms: Container[str], recipients: list[Any]) -> list[int]:
    """The positions of the recipients whose rooms are in `rooms`. Most are not, so this look-up is all they cost."""
    try:
        return [at for at, recipient in enumerate(recipients) if ROOM_PREFIX + recipient in rooms]
    except TypeError:
        raise ValueError("a recipient of a delivered item is not a string") from None


def _members_of_item(item: Any) -> str:
    if not isinstance(item, dict) or not item:
        raise ValueError("a delivered item is not an object, or empty")
    return members_of(render_ascii(item))

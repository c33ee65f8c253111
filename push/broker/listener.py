"""The push server's side of the exchange: hears announcements and hands them to the clients that are here."""

import contextlib
import json
import logging
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import gevent
from engineio import packet as eio_packet
from gevent.event import Event
from socketio import packet

from push.broker import wire
from push.broker.announcer import AnnounceFailed, Announcer
from push.broker.consumer import Message, feed
from push.metrics import Counts
from push.revocations import Revoked
from telemetry.errors import describe

log = logging.getLogger(__name__)

CONTENT_TYPES = ("application/json", "text/plain")  # stock KombuManagers label their JSON as text
STOCK_METHODS = ("emit", "callback", "disconnect", "enter_room", "leave_room", "close_room")
RETRY_FIRST = 0.5  # seconds before the first new attempt to connect; then twice as long each time
RETRY_MOST = 10
SYNC_SPREAD = 2  # seconds at least over which clients are told to sync: each will ask the API for its changes
SYNCS_PER_SECOND = 500


class Listener(Announcer):
    """The client manager of a push server. It listens from `initialize()` on, and again after every loss.

    Whenever it begins to hear, it tells all clients to `sync`: what was announced before is lost to them.
    """

    def __init__(
        self, broker_url: str, revoked: Revoked, counts: Counts, on_death: Callable[[gevent.Greenlet], None]
    ) -> None:
        super().__init__(broker_url, write_only=False)
        self.hears = False
        self.tried = Event()  # set once it hears, or could not
        self._revoked, self._counts = revoked, counts
        self._on_death = on_death
        self._syncing: gevent.Greenlet | None = None
        self._probes_fail = False
        self._rooms_of: dict[str, set[str | None]] = {}

    def initialize(self) -> None:
        super().initialize()
        self.thread.link(self._on_death)

    def _thread(self) -> None:
        for message in self._listen():
            self._handle(message)
            gevent.sleep(0)  # a flood of messages must not keep the sockets waiting

    def _listen(self) -> Iterator[Message]:
        delay = 0.0
        while True:
            try:
                with contextlib.closing(feed(self.url, self._probe)) as messages:
                    for message in messages:
                        if message is None:
                            delay = 0.0
                            self._begin_to_hear()
                        else:
                            yield message
            except Exception as error:
                delay = min(max(RETRY_FIRST, delay * 2), RETRY_MOST)
                self._counts.lost += 1
                self.tried.set()
                log.warning("broker_lost retry_in=%.1f %s", delay, describe(error))
            self.hears = False
            gevent.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311

    def _probe(self) -> bool:
        """Publish a probe over the announcer's connection. Logs the first failure of a row."""
        try:
            self._send(wire.PROBE)
            self._probes_fail = False
        except AnnounceFailed as error:
            if not self._probes_fail:
                log.warning("probe_failed reason=%s", error)
            self._probes_fail = True
        return not self._probes_fail

    def _begin_to_hear(self) -> None:
        self.hears = True
        self.tried.set()
        log.info("broker_heard")
        self._revoked.reload()
        if self._syncing is not None:
            self._syncing.kill(block=False)
        self._syncing = gevent.spawn(self._tell_all_to_sync, "reconnected")

    def _tell_all_to_sync(self, reason: str) -> None:
        sids = [sid for sid, _ in self.get_participants(wire.NAMESPACE, None)]
        random.shuffle(sids)
        spread = max(SYNC_SPREAD, len(sids) / SYNCS_PER_SECOND)
        begun = time.monotonic()
        for sid, moment in zip(sids, sorted(random.uniform(0, spread) for _ in sids), strict=True):  # noqa: S311
            gevent.sleep(max(0, begun + moment - time.monotonic()))
            self.emit("sync", {"reason": reason}, wire.NAMESPACE, room=sid, ignore_queue=True)

    def _handle(self, message: Message) -> None:
        try:
            self._dispatch(_parse(message))
        except Exception as error:
            self._counts.dropped += 1
            kind = message.content_type[:50]
            log.warning("message_dropped content_type=%r bytes=%d %s", kind, len(message.body), describe(error))

    def _dispatch(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if method == wire.ANNOUNCE:
            self._handle_announce(message)
        elif method == wire.REVOKE:
            revocation = wire.decode_revocation(message)
            self._revoked.hear(revocation.user_id, revocation.revoked_before)
        elif method == wire.ARRIVE:
            self._handle_arrive(message)
        elif method not in STOCK_METHODS:
            raise ValueError("unknown method")
        elif method == "callback" or message.get("host_id") != self.host_id:
            getattr(self, f"_handle_{method}")(message)

    def _handle_announce(self, message: dict[str, Any]) -> None:
        for announcement in wire.decode(message):
            self._counts.heard += 1
            if self._is_here(announcement.recipient_id):
                room = wire.room_of(announcement.recipient_id)
                self.emit(announcement.event, announcement.payload, wire.NAMESPACE, room=room, ignore_queue=True)

    def _handle_arrive(self, message: dict[str, Any]) -> None:
        for room, payload in wire.decode_arrivals(message, self.rooms.get(wire.NAMESPACE, ())):
            event = eio_packet.Packet(eio_packet.MESSAGE, f'{packet.EVENT}["{wire.event_of("added")}",{payload}]')
            for _, eio_sid in self.get_participants(wire.NAMESPACE, room):
                self.server._send_eio_packet(eio_sid, event)
        self._counts.heard += len(message["recipients"])

    def _is_here(self, recipient_id: str) -> bool:
        return self._has(wire.NAMESPACE, wire.room_of(recipient_id))

    def _handle_emit(self, message: dict[str, Any]) -> None:
        room = message.get("room")
        if not isinstance(room, str) or self._has(message.get("namespace"), room):
            super()._handle_emit(message)

    def _has(self, namespace: str | None, room: str) -> bool:
        return room in self.rooms.get(namespace, {})

    def _publish(self, data: dict[str, Any]) -> None:
        """What a client brings about, such as an acknowledgement for another server, is sent on if that is possible."""
        try:
            super()._publish(data)
        except AnnounceFailed as error:
            log.warning("publish_failed method=%s reason=%s", data.get("method"), error)

    def trigger_callback(self, sid: str, id: int | None, data: list[Any]) -> None:
        if id:  # under 0 socketio keeps a counter of its own, which a client could otherwise take away
            super().trigger_callback(sid, id, data)

    def get_participants(self, namespace: str, room: object) -> Iterator[tuple[str, str]]:
        """Those that are connected: not who is still being verified, and so may be nobody."""
        pending = self.pending_connect.get(namespace, ())
        yield from (one for one in super().get_participants(namespace, room) if one[0] not in pending)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._rooms_of.setdefault(sid, set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        super().basic_leave_room(sid, namespace, room)
        self._rooms_of.get(sid, set()).discard(room)

    def basic_disconnect(self, sid: str, namespace: str, **_: object) -> None:
        """As socketio has it, but without a look into every room of the server."""
        for room in self._rooms_of.pop(sid, set()):
            super().basic_leave_room(sid, namespace, room)
        self.callbacks.pop(sid, None)
        for pending in (self.pending_connect, self.pending_disconnect):
            if sid in pending.get(namespace, ()):
                pending[namespace].remove(sid)


def _parse(message: Message) -> dict[str, Any]:
    if message.content_type not in CONTENT_TYPES:
        raise ValueError("not JSON")
    parsed = json.loads(message.body)
    if not isinstance(parsed, dict) or not isinstance(parsed.get("method"), str):
        raise ValueError("not a message with a method")
    return parsed

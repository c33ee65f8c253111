"""The push server's client manager: receives announcements from the broker and emits them to connected clients."""

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

from lib.rendering.rendered_json import array, render
from push.broker import wire
from push.broker.announcer import AnnounceFailed, Announcer
from push.broker.consumer import Message, consume
from push.metrics import Counts
from push.revocations import RevocationMonitor
from telemetry.errors import describe

log = logging.getLogger(__name__)

CONTENT_TYPES = ("application/json", "text/plain")  # socketio.KombuManager labels its JSON as text
STOCK_METHODS = ("emit", "callback", "disconnect", "enter_room", "leave_room", "close_room")
BACKOFF_MIN = 0.5  # seconds before the first attempt to reconnect; doubled for each further one
BACKOFF_MAX = 10
SYNC_SPREAD_MIN = 2  # seconds over which `sync` is emitted: each client then asks the API for its changes
SYNCS_PER_SECOND = 500
ADDED_EVENT = render(wire.event_of("added"))


class Listener(Announcer):
    """Consumes the exchange from `initialize()` on, and reconnects whenever the connection is lost.

    After each connect it emits `sync` to all clients, as they miss what was announced before.
    """

    def __init__(
        self,
        broker_url: str,
        revocations: RevocationMonitor,
        counts: Counts,
        on_death: Callable[[gevent.Greenlet], None],
    ) -> None:
        super().__init__(broker_url, write_only=False)
        self.connected = False
        self.attempted = Event()  # set when the first attempt to connect has succeeded or failed
        self._revocations, self._counts = revocations, counts
        self._on_death = on_death
        self._sync_emitter: gevent.Greenlet | None = None
        self._probe_failed = False
        self._rooms_of: dict[str, set[str | None]] = {}

    def initialize(self) -> None:
        super().initialize()
        self.thread.link(self._on_death)

    def _thread(self) -> None:
        for message in self._listen():
            self._handle(message)
            gevent.sleep(0)  # let the sockets be served between two messages

    def _listen(self) -> Iterator[Message]:
        delay = 0.0
        while True:
            try:
                with contextlib.closing(consume(self.url, self._probe)) as messages:
                    for message in messages:
                        if message is None:
                            delay = 0.0
                            self._on_connected()
                        else:
                            yield message
            except Exception as error:
                delay = min(max(BACKOFF_MIN, delay * 2), BACKOFF_MAX)
                self._counts.broker_disconnects += 1
                self.attempted.set()
                log.warning("broker_disconnected retry_in=%.1f %s", delay, describe(error))
            self.connected = False
            gevent.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311

    def _probe(self) -> bool:
        """Publish a probe over the announcer's connection. Of consecutive failures the first is logged."""
        try:
            self._send(wire.PROBE)
            self._probe_failed = False
        except AnnounceFailed as error:
            if not self._probe_failed:
                log.warning("probe_failed reason=%s", error)
            self._probe_failed = True
        return not self._probe_failed

    def _on_connected(self) -> None:
        self.connected = True
        self.attempted.set()
        log.info("broker_connected")
        self._revocations.refresh_soon()
        if self._sync_emitter is not None:
            self._sync_emitter.kill(block=False)
        self._sync_emitter = gevent.spawn(self._emit_sync_to_all, "reconnected")

    def _emit_sync_to_all(self, reason: str) -> None:
        """Emit `sync` to each client at a random time within the spread."""
        sids = [sid for sid, _ in self.get_participants(wire.NAMESPACE, None)]
        random.shuffle(sids)
        spread = max(SYNC_SPREAD_MIN, len(sids) / SYNCS_PER_SECOND)
        started = time.monotonic()
        for sid, offset in zip(sids, sorted(random.uniform(0, spread) for _ in sids), strict=True):  # noqa: S311
            gevent.sleep(max(0, started + offset - time.monotonic()))
            self.emit("sync", {"reason": reason}, wire.NAMESPACE, room=sid, ignore_queue=True)

    def _handle(self, message: Message) -> None:
        try:
            self._dispatch(_parse(message))
        except Exception as error:
            self._counts.messages_dropped += 1
            content_type = message.content_type[:50]
            log.warning("message_dropped content_type=%r bytes=%d %s", content_type, len(message.body), describe(error))

    def _dispatch(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if method == wire.ANNOUNCE:
            self._handle_announce(message)
        elif method == wire.REVOKE:
            revocation = wire.decode_revocation(message)
            self._revocations.receive(revocation.user_id, revocation.revoked_before)
        elif method == wire.ARRIVE:
            self._handle_items(message)
        elif method not in STOCK_METHODS:
            raise ValueError("unknown method")
        elif method == "callback" or message.get("host_id") != self.host_id:
            getattr(self, f"_handle_{method}")(message)

    def _handle_announce(self, message: dict[str, Any]) -> None:
        for announcement in wire.decode(message):
            self._counts.announcements += 1
            room = wire.room_of(announcement.recipient_id)
            if self._has(wire.NAMESPACE, room):
                self.emit(announcement.event, announcement.payload, wire.NAMESPACE, room=room, ignore_queue=True)

    def _handle_items(self, message: dict[str, Any]) -> None:
        for room, payload in wire.decode_items(message, self.rooms.get(wire.NAMESPACE, ())):
            event = eio_packet.Packet(eio_packet.MESSAGE, f"{packet.EVENT}{array((ADDED_EVENT, payload))}")
            for _, eio_sid in self.get_participants(wire.NAMESPACE, room):
                self.server._send_eio_packet(eio_sid, event)
        self._counts.announcements += len(message["recipients"])

    def _handle_emit(self, message: dict[str, Any]) -> None:
        room = message.get("room")
        if not isinstance(room, str) or self._has(message.get("namespace"), room):
            super()._handle_emit(message)

    def _has(self, namespace: str | None, room: str) -> bool:
        return room in self.rooms.get(namespace, {})

    def _publish(self, data: dict[str, Any]) -> None:
        """Publish for a client, such as its acknowledgement for another server. Failures are logged, not raised."""
        try:
            super()._publish(data)
        except AnnounceFailed as error:
            log.warning("publish_failed method=%s reason=%s", data.get("method"), error)

    def trigger_callback(self, sid: str, id: int | None, data: list[Any]) -> None:
        if id:  # socketio keeps its counter of ids under 0; a client's acknowledgement 0 would delete it
            super().trigger_callback(sid, id, data)

    def get_participants(self, namespace: str, room: object) -> Iterator[tuple[str, str]]:
        """The connected clients of a room, without those whose token is still being verified."""
        pending = self.pending_connect.get(namespace, ())
        yield from (one for one in super().get_participants(namespace, room) if one[0] not in pending)

    def basic_enter_room(self, sid: str, namespace: str, room: str | None, eio_sid: str | None = None) -> None:
        super().basic_enter_room(sid, namespace, room, eio_sid=eio_sid)
        self._rooms_of.setdefault(sid, set()).add(room)

    def basic_leave_room(self, sid: str, namespace: str, room: str | None) -> None:
        super().basic_leave_room(sid, namespace, room)
        self._rooms_of.get(sid, set()).discard(room)

    def basic_disconnect(self, sid: str, namespace: str, **_: object) -> None:
        """As socketio's, but visits only the client's own rooms; socketio searches every room of the server."""
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

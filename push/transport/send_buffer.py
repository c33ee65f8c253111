"""Frames on their way to one client: bounded, sent at the end of an event-loop tick, never waited for."""

import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from push.transport.limits import BUFFER_MAX_BYTES, BUFFER_MAX_PACKETS
from push.transport.timers import Timer, Timers

WRITE_TIMEOUT = 20  # seconds in which a client must read something: as long as it has to answer a ping
DRAIN_TIMEOUT = 1  # seconds for the last frames before the connection closes
FLUSHES_PER_TICK = 200  # buffers; then the loop serves its other events
WRITABLE = 2  # libev's EV_WRITE


class BufferFull(Exception):
    """The client does not read what it is sent."""


class FlushQueue:
    """Flushes each buffer once at the end of the tick in which frames were added to it, so frames share a `send`."""

    def __init__(self) -> None:
        self._buffers: deque[SendBuffer] = deque()

    def add(self, buffer: "SendBuffer") -> None:
        if not self._buffers:
            self._schedule()
        self._buffers.append(buffer)

    def _schedule(self) -> None:
        gevent.get_hub().loop.run_callback(self._flush)

    def _flush(self) -> None:
        for _ in range(min(FLUSHES_PER_TICK, len(self._buffers))):
            self._buffers.popleft().flush()
        if self._buffers:
            self._schedule()


class SendBuffer:
    """Unsent frames of one non-blocking socket.

    `on_end` is called when the socket fails, when the client reads nothing for too long, or when `drain` has finished.
    It may be called again until `discard`.
    """

    __slots__ = (
        "_bytes",
        "_deadline",
        "_draining",
        "_flushes",
        "_frames",
        "_on_end",
        "_socket",
        "_timers",
        "_writable",
    )

    def __init__(self, sock: socket.socket, timers: Timers, flushes: FlushQueue, on_end: Callable[[], object]) -> None:
        self._socket = sock
        self._timers = timers
        self._flushes = flushes
        self._on_end = on_end
        self._frames: list[bytes] = []
        self._bytes = 0
        self._draining = False
        self._deadline: Timer | None = None
        self._writable: Any = None

    def add(self, frame: bytes) -> None:
        """Queue a frame. Raises `BufferFull`; an empty buffer takes a frame of any size."""
        if self._draining:
            return
        if not self._frames:
            self._flushes.add(self)
        elif len(self._frames) >= BUFFER_MAX_PACKETS or self._bytes + len(frame) > BUFFER_MAX_BYTES:
            raise BufferFull
        self._frames.append(frame)
        self._bytes += len(frame)

    def drain(self) -> None:
        """Accept no more frames, send those queued within `DRAIN_TIMEOUT`, and call `on_end`."""
        if not self._draining:
            self._draining = True
            self._set_deadline(DRAIN_TIMEOUT)
            self.flush()

    def discard(self) -> None:
        """Drop what is queued and release timer and watcher; the socket may be closed afterwards."""
        self._draining = True
        self._clear()

    def flush(self) -> None:
        """Pass to the kernel as much as it accepts, and wait for it to accept the rest."""
        data = b"".join(self._frames)
        try:
            sent = self._socket.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._on_end()
            return
        if sent < len(data):
            self._keep(data[sent:], progress=sent > 0)
        else:
            self._clear()
            if self._draining:
                self._on_end()

    def _clear(self) -> None:
        self._frames, self._bytes = [], 0
        self._set_deadline(None)
        if self._writable is not None:
            self._writable.stop()
            self._writable.close()
            self._writable = None

    def _keep(self, rest: bytes, *, progress: bool) -> None:
        self._frames, self._bytes = [rest], len(rest)
        if not self._draining and (progress or self._deadline is None):
            self._set_deadline(WRITE_TIMEOUT)
        if self._writable is None:
            self._writable = gevent.get_hub().loop.io(self._socket.fileno(), WRITABLE)
            self._writable.start(self.flush)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self._timers.after(seconds, self._on_end)

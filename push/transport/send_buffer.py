"""What is on its way to a client: sent at the end of the event loop's turn, bounded, and never waited for."""

import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from push.timers import Timer, Timers

MAX_PIECES = 1_000  # beyond these a client is cut off: on its return it asks the API for what it missed
MAX_BYTES = 1_048_576
READ_TIMEOUT = 20  # seconds in which a client must read something: as long as it may take to answer a ping
FAREWELL_TIMEOUT = 1  # seconds for the last pieces
FLUSHED_AT_ONCE = 200  # connections; then the loop looks at the other things it has to do
WRITABLE = 2  # libev's EV_WRITE


class TooMuchWaits(Exception):
    """The client does not read what is sent to it."""


class Turn:
    """Sends, when the loop's turn ends, what was queued in it: all that is for one client in one piece."""

    def __init__(self) -> None:
        self._due: deque[Outgoing] = deque()

    def add(self, outgoing: "Outgoing") -> None:
        if not self._due:
            self._schedule()
        self._due.append(outgoing)

    def _schedule(self) -> None:
        gevent.get_hub().loop.run_callback(self._flush)

    def _flush(self) -> None:
        for _ in range(min(FLUSHED_AT_ONCE, len(self._due))):
            self._due.popleft().flush()
        if self._due:
            self._schedule()


class Outgoing:
    """The way out of one non-blocking socket. `over` is called when it is broken, blocked for too long, or finished."""

    __slots__ = ("_bytes", "_deadline", "_finishing", "_over", "_pieces", "_socket", "_timers", "_turn", "_writable")

    def __init__(self, sock: socket.socket, timers: Timers, turn: Turn, over: Callable[[], object]) -> None:
        self._socket = sock
        self._timers = timers
        self._turn = turn
        self._over = over
        self._pieces: list[bytes] = []
        self._bytes = 0
        self._finishing = False
        self._deadline: Timer | None = None
        self._writable: Any = None

    def add(self, piece: bytes) -> None:
        """Queue a piece. Raises `TooMuchWaits`; what is larger than the bound goes out when nothing waits."""
        if self._finishing:
            return
        if not self._pieces:
            self._turn.add(self)
        elif len(self._pieces) >= MAX_PIECES or self._bytes + len(piece) > MAX_BYTES:
            raise TooMuchWaits
        self._pieces.append(piece)
        self._bytes += len(piece)

    def finish(self) -> None:
        """Take nothing more; send what waits, within a moment, and be over."""
        if not self._finishing:
            self._finishing = True
            self._set_deadline(FAREWELL_TIMEOUT)
            self.flush()

    def stop(self) -> None:
        """Drop what waits. The socket may be closed now."""
        self._finishing = True
        self._all_sent()

    def flush(self) -> None:
        """Give the system as much as it takes."""
        data = b"".join(self._pieces)
        try:
            sent = self._socket.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._over()
            return
        if sent < len(data):
            self._wait(data[sent:], progress=sent > 0)
        else:
            self._all_sent()
            if self._finishing:
                self._over()

    def _all_sent(self) -> None:
        self._pieces, self._bytes = [], 0
        self._set_deadline(None)
        if self._writable is not None:
            self._writable.stop()
            self._writable.close()
            self._writable = None

    def _wait(self, rest: bytes, *, progress: bool) -> None:
        self._pieces, self._bytes = [rest], len(rest)
        if not self._finishing and (progress or self._deadline is None):
            self._set_deadline(READ_TIMEOUT)
        if self._writable is None:
            self._writable = gevent.get_hub().loop.io(self._socket.fileno(), WRITABLE)
            self._writable.start(self.flush)

    def _set_deadline(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self._timers.after(seconds, self._over)

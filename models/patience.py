"""How long a caller waits for PostgreSQL: one that is frozen, or gone with its network, would hold them for ever.

No timeout of the server's own helps against a server that does nothing, and libpq has none for the time after the
connection is made. So a thread looks at the conversations that are going on, and hangs up those that take too long.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

LOOK_EVERY_SECONDS = 0.1


class Patience:
    """Ends conversations at their deadline. Starts its thread when first needed, so it may be made before a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._conversations: dict[object, tuple[float, psycopg.Connection]] = {}
        self._some = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def until(self, deadline: float, connection: psycopg.Connection) -> Iterator[None]:
        """From this `time.monotonic()` on, whatever waits for this connection gets an `OperationalError`."""
        conversation = object()
        with self._lock:
            self._conversations[conversation] = deadline, connection
            self._watch()
        try:
            yield
        finally:
            with self._lock:  # after this the connection may be closed, and its number be another file's
                del self._conversations[conversation]

    def _watch(self) -> None:
        self._some.set()
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._hang_up_in_time, name="patience", daemon=True)
            self._watcher.start()

    def _hang_up_in_time(self) -> None:
        while self._some.wait():
            time.sleep(LOOK_EVERY_SECONDS)
            with self._lock:
                now = time.monotonic()
                for deadline, connection in self._conversations.values():
                    if deadline < now:
                        _hang_up(connection)
                if not self._conversations:
                    self._some.clear()


def _hang_up(connection: psycopg.Connection) -> None:
    """Shut the socket: whoever waits for it finds that the server is gone."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)

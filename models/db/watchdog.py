"""How long a caller waits for PostgreSQL: one that is frozen, or gone with its network, would hold them for ever.

No timeout of the server's own helps against a server that does nothing, and libpq has none once it is connected. So a
thread looks at the conversations that are going on. Where one takes long, it asks the server anew: one that answers is
busy, and is waited for; on one that is silent the conversation is hung up.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

LOOK_EVERY_SECONDS = 0.1
ANSWER_SECONDS = 0.5  # how long the server may take to say anything at all
WOULD_YOU_ENCRYPT = struct.pack("!II", 8, 80877103)  # SSLRequest: any PostgreSQL answers it at once, with one byte


class Patience:
    """Ends conversations with a silent server. Starts its thread when first needed, so it may be made before a fork.

    `answers` says whether the server of a connection answers anybody.
    """

    def __init__(self, seconds: float, answers: Callable[[psycopg.Connection], bool]) -> None:
        self._seconds = seconds
        self._answers = answers
        self._lock = threading.Lock()
        self._deadlines: dict[object, tuple[float, psycopg.Connection]] = {}
        self._some = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def with_(self, connection: psycopg.Connection, since: float) -> Iterator[None]:
        """Who waits for a silent server gets an `OperationalError` soon after its time, counted from `since`."""
        conversation = object()
        with self._lock:
            self._deadlines[conversation] = since + self._seconds, connection
            self._watch()
        try:
            yield
        finally:
            with self._lock:  # after this the connection may be closed, and its number be another file's
                del self._deadlines[conversation]

    def _watch(self) -> None:
        self._some.set()
        if self._watcher is None or not self._watcher.is_alive():
            self._watcher = threading.Thread(target=self._look_again_and_again, name="patience", daemon=True)
            self._watcher.start()

    def _look_again_and_again(self) -> None:
        while self._some.wait():
            time.sleep(LOOK_EVERY_SECONDS)
            for overdue in _by_server(self._overdue()):
                self._judge(overdue, is_silent=not self._answers(next(iter(overdue.values()))))

    def _overdue(self) -> dict[object, psycopg.Connection]:
        with self._lock:
            if not self._deadlines:
                self._some.clear()
            now = time.monotonic()
            return {one: connection for one, (deadline, connection) in self._deadlines.items() if deadline < now}

    def _judge(self, overdue: dict[object, psycopg.Connection], is_silent: bool) -> None:
        with self._lock:
            for one in overdue.keys() & self._deadlines.keys():
                if is_silent:
                    _hang_up(overdue[one])
                else:
                    self._deadlines[one] = time.monotonic() + self._seconds, overdue[one]


def _by_server(overdue: dict[object, psycopg.Connection]) -> list[dict[object, psycopg.Connection]]:
    """Connections of one pool may be to several servers: one may be silent while another is busy."""
    servers: dict[object, dict[object, psycopg.Connection]] = {}
    for one, connection in overdue.items():
        servers.setdefault(_address(connection), {})[one] = connection
    return list(servers.values())


def _address(connection: psycopg.Connection) -> tuple[str, int] | None:
    try:
        return connection.info.hostaddr or connection.info.host, connection.info.port
    except psycopg.Error:  # it was closed meanwhile
        return None


def answers(connection: psycopg.Connection) -> bool:
    """Whether the server of this connection answers a stranger."""
    try:
        address = _address(connection)
        if address is None:
            return False
        with _call(*address) as line:
            line.sendall(WOULD_YOU_ENCRYPT)
            return bool(line.recv(1))
    except (OSError, psycopg.Error):
        return False


def _call(host: str, port: int) -> socket.socket:
    if not host.startswith(("/", "@")):  # a folder, or a name in Linux's abstract namespace
        return socket.create_connection((host, port), timeout=ANSWER_SECONDS)
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(ANSWER_SECONDS)
    path = f"{host}/.s.PGSQL.{port}"
    line.connect(f"\0{path[1:]}" if host.startswith("@") else path)
    return line


def _hang_up(connection: psycopg.Connection) -> None:
    """Shut the socket: whoever waits for it finds that the server is gone."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)

"""A read timeout for PostgreSQL: ends connections whose server has fallen silent, as a frozen or unreachable one does.

A server that does nothing does not heed its own timeouts, and libpq has none once it is connected. So a thread watches
the connections in use. If one is in use for longer than the timeout, the thread probes its server over another
connection: a server that answers is busy, and is given more time; if it does not answer, the connection is shut down.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg

POLL_SECONDS = 0.1
PROBE_SECONDS = 0.5  # how long the server may take to answer the probe
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # any PostgreSQL answers it at once, with one byte


class Watchdog:
    """Shuts down connections to a silent server. Starts its thread when first needed, so it may be made before a fork.

    `answers` says whether the server of a connection answers.
    """

    def __init__(self, seconds: float, answers: Callable[[psycopg.Connection], bool]) -> None:
        self._seconds = seconds
        self._answers = answers
        self._lock = threading.Lock()
        self._deadlines: dict[object, tuple[float, psycopg.Connection]] = {}
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, connection: psycopg.Connection, since: float) -> Iterator[None]:
        """If the server is silent, a statement in the block raises `OperationalError` soon after the timeout.

        The timeout counts from `since`.
        """
        use = object()
        with self._lock:
            self._deadlines[use] = since + self._seconds, connection
            self._start()
        try:
            yield
        finally:
            with self._lock:  # afterwards the connection may be closed, and its descriptor be another file's
                del self._deadlines[use]

    def _start(self) -> None:
        self._some.set()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while self._some.wait():
            time.sleep(POLL_SECONDS)
            for overdue in _by_server(self._overdue()):
                self._judge(overdue, is_silent=not self._answers(next(iter(overdue.values()))))

    def _overdue(self) -> dict[object, psycopg.Connection]:
        with self._lock:
            if not self._deadlines:
                self._some.clear()
            now = time.monotonic()
            return {use: connection for use, (deadline, connection) in self._deadlines.items() if deadline < now}

    def _judge(self, overdue: dict[object, psycopg.Connection], is_silent: bool) -> None:
        with self._lock:
            for use in overdue.keys() & self._deadlines.keys():
                if is_silent:
                    _shut_down(overdue[use])
                else:
                    self._deadlines[use] = time.monotonic() + self._seconds, overdue[use]


def _by_server(overdue: dict[object, psycopg.Connection]) -> list[dict[object, psycopg.Connection]]:
    """Connections of one pool may have several servers, of which one is silent and another is busy."""
    servers: dict[object, dict[object, psycopg.Connection]] = {}
    for use, connection in overdue.items():
        servers.setdefault(_address(connection), {})[use] = connection
    return list(servers.values())


def _address(connection: psycopg.Connection) -> tuple[str, int] | None:
    try:
        return connection.info.hostaddr or connection.info.host, connection.info.port
    except psycopg.Error:  # it was closed meanwhile
        return None


def answers(connection: psycopg.Connection) -> bool:
    """Whether the server of this connection answers a new one."""
    try:
        address = _address(connection)
        if address is None:
            return False
        with _connect(*address) as probe:
            probe.sendall(SSL_REQUEST)
            return bool(probe.recv(1))
    except (OSError, psycopg.Error):
        return False


def _connect(host: str, port: int) -> socket.socket:
    if not host.startswith(("/", "@")):  # a folder, or a name in Linux's abstract namespace
        return socket.create_connection((host, port), timeout=PROBE_SECONDS)
    probe = socket.socket(socket.AF_UNIX)
    probe.settimeout(PROBE_SECONDS)
    path = f"{host}/.s.PGSQL.{port}"
    probe.connect(f"\0{path[1:]}" if host.startswith("@") else path)
    return probe


def _shut_down(connection: psycopg.Connection) -> None:
    """Shut down the socket: a thread that waits for it finds that the connection is lost."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)

"""Probes a PostgreSQL server over another connection: one that answers is busy, one that does not is frozen or gone.

A server that does nothing does not heed its own timeouts, and libpq has none once it is connected. So a connection that
waits for its server for longer than `READ_TIMEOUT_SECONDS` has the server probed: see `ServerConnection.wait`.
"""

import socket
import struct

import psycopg

PROBE_SECONDS = 0.5  # how long the server may take to answer the probe
SSL_REQUEST = struct.pack("!II", 8, 80877103)  # any PostgreSQL answers it at once, with one byte


def answers(connection: psycopg.Connection) -> bool:
    """Whether the server of this connection answers a new one."""
    try:
        host, port = connection.info.hostaddr or connection.info.host, connection.info.port
        with _connect(host, port) as probe:
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

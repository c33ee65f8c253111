"""The listening socket of the API and of the push server."""

import errno
import os
import socket

EXIT_UNUSABLE = 2  # the exit code of a server whose settings do not allow a start


class CannotListen(Exception):
    """The address is not available; the message says which variable to set."""


def listen(host: str, port: int, backlog: int, variable: str) -> socket.socket:
    """A listening TCP socket. `::` accepts IPv4 too, whatever the system's default is. Raises `CannotListen`.

    `variable` is the setting that `port` came from. A host name with several addresses is bound to its first IPv4
    address, or to its first address where it has no IPv4 one.
    """
    try:
        family, address = _resolve(host, port)
        dual = family == socket.AF_INET6 and socket.has_dualstack_ipv6()
        return socket.create_server(address, family=family, backlog=backlog, dualstack_ipv6=dual)
    except OSError as error:
        raise CannotListen(explain(error, host, port, variable)) from None


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[str, int]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, (str(address[0]), port)


def explain(error: OSError, host: str, port: int, variable: str) -> str:
    """The reason why the server cannot listen, and the setting to change."""
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
    advice = f"Set {variable} to a free port."
    if isinstance(error, socket.gaierror):
        reason, advice = "the host is not known", "Set BIND_HOST to an address of this machine."
    elif error.errno == errno.EADDRNOTAVAIL:
        advice = "Set BIND_HOST to an address of this machine."
    elif error.errno == errno.EAFNOSUPPORT:
        advice = "Set BIND_HOST to an IPv4 address, such as 0.0.0.0: this machine has no IPv6."
    elif error.errno == errno.EACCES:
        advice = f"Set {variable} to a port above 1023, or let this account use ports below."
    return f"Cannot listen on {_in_url(host)}:{port} ({reason}). {advice}"


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host

"""Load for an HTTP server, in a process of its own that shares no code with what it measures.

Reads one order as JSON from standard input and writes one report to standard output. `requests` are whole requests in
latin-1, sent one after another over a few connections that are kept alive; with `once`, each at most once.
"""

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

HEAD_END = b"\r\n\r\n"


class Connection:
    """One connection with one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.buffer = b""

    def send(self, request: bytes) -> None:
        self.buffer = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """The status, when the answer is complete."""
        data = self.socket.recv(1 << 20)
        if not data:
            raise ConnectionError(f"the server hung up after {self.buffer[:200]!r}")
        self.buffer += data
        head, found, body = self.buffer.partition(HEAD_END)
        if not found:
            return None
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
        return int(head[9:12]) if len(body) >= length else None


def drive(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> dict[str, Any]:
    """Keep so many connections busy for so long, or until there is nothing left to ask."""
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    selector = selectors.DefaultSelector()
    started = time.perf_counter()
    for request, _ in zip(requests, range(connections), strict=False):
        connection = Connection(port)
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(request)
    while selector.get_map():
        for key, _ in selector.select(timeout=10):
            connection = key.data
            status = connection.receive()
            if status is None:
                continue
            latencies.append(time.perf_counter() - connection.sent_at)
            statuses[status] = statuses.get(status, 0) + 1
            following = next(requests, None) if time.perf_counter() - started < seconds else None
            if following is None:
                selector.unregister(connection.socket)
                connection.socket.close()
            else:
                connection.send(following)
    return {"seconds": time.perf_counter() - started, "latencies": latencies, "statuses": statuses}


def report(found: dict[str, Any]) -> dict[str, Any]:
    in_order = sorted(found["latencies"])
    count = len(in_order)
    return {
        "requests": count,
        "seconds": found["seconds"],
        "p50_ms": in_order[count // 2] * 1000,
        "p99_ms": in_order[min(count - 1, count * 99 // 100)] * 1000,
        "statuses": found["statuses"],
    }


def main() -> None:
    order = json.load(sys.stdin)
    encoded = [request.encode("latin-1") for request in order["requests"]]
    requests = iter(encoded) if order["once"] else cycle(encoded)
    print(json.dumps(report(drive(order["port"], requests, order["connections"], order["seconds"]))))


if __name__ == "__main__":
    main()

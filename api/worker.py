"""gunicorn's worker with a time limit for each request, fewer writes, and error responses that quote no request."""

import logging
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from api.framework.problems import INTERNAL_ERROR, MALFORMED_REQUEST, MIMETYPE, Problem, text_of
from telemetry.errors import describe

BUFFER_BYTES = 65_536
REQUEST_SECONDS = 30  # a slower client is disconnected; nginx waits as long

log = logging.getLogger(__name__)


class BufferedSocket:
    """Sends the head of a response together with its body. gunicorn sends them in two packets and system calls."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer: list[bytes] = []
        self._bytes = 0

    def sendall(self, data: bytes) -> None:
        self._buffer.append(data)
        self._bytes += len(data)
        if self._bytes > BUFFER_BYTES:
            self.flush()

    def flush(self) -> None:
        buffered, self._buffer, self._bytes = self._buffer, [], 0
        if buffered:
            self._socket.sendall(b"".join(buffered))

    def sendfile(self, *file: Any, **part: Any) -> int:
        self.flush()
        return self._socket.sendfile(*file, **part)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Worker(GeventWorker):  # type: ignore[misc]
    def handle_request(self, listener: str, req: Any, sock: socket.socket, addr: Any) -> None:
        client = BufferedSocket(sock)
        with gevent.Timeout(REQUEST_SECONDS, False):
            try:
                super().handle_request(listener, req, client, addr)
            finally:
                client.flush()
            return
        log.info("request_given_up after_seconds=%d", REQUEST_SECONDS)
        raise StopIteration  # makes gunicorn close the connection

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Respond to malformed HTTP and to errors outside of the application. gunicorn would quote the request."""
        is_malformed = isinstance(exc, ParseException)
        if not is_malformed:
            log.error("connection_failed %s", describe(exc))
        response = _response(Problem(MALFORMED_REQUEST if is_malformed else INTERNAL_ERROR))
        with suppress(OSError):
            client.sendall(response)


def _response(problem: Problem) -> bytes:
    body = text_of(problem).encode()
    status = HTTPStatus(problem.kind.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: {MIMETYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

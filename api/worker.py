"""gunicorn's worker: a bound on the time that a connection may take, answers in one piece, and refusals that repeat
nothing of a request."""

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

PIECE_BYTES = 65_536
REQUEST_SECONDS = 30  # who sends or reads so slowly is cut off; nginx waits no longer either

log = logging.getLogger(__name__)


class OnePiece:
    """A client's socket during an answer. gunicorn sends the head by itself: a packet and a system call for nothing."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._pieces: list[bytes] = []
        self._bytes = 0

    def sendall(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._bytes += len(piece)
        if self._bytes > PIECE_BYTES:
            self.flush()

    def flush(self) -> None:
        pieces, self._pieces, self._bytes = self._pieces, [], 0
        if pieces:
            self._socket.sendall(b"".join(pieces))

    def sendfile(self, *file: Any, **part: Any) -> int:
        self.flush()
        return self._socket.sendfile(*file, **part)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


class Worker(GeventWorker):  # type: ignore[misc]
    def handle_request(self, listener: str, req: Any, sock: socket.socket, addr: Any) -> None:
        answer = OnePiece(sock)
        with gevent.Timeout(REQUEST_SECONDS, False):
            try:
                super().handle_request(listener, req, answer, addr)
            finally:
                answer.flush()
            return
        log.info("request_given_up after_seconds=%d", REQUEST_SECONDS)
        raise StopIteration  # gunicorn's word for: close the connection

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer what is no HTTP, and what went wrong outside the application: gunicorn would quote the request."""
        is_theirs = isinstance(exc, ParseException)
        if not is_theirs:
            log.error("connection_failed %s", describe(exc))
        answer = _answer(Problem(MALFORMED_REQUEST if is_theirs else INTERNAL_ERROR))
        with suppress(OSError):
            client.sendall(answer)


def _answer(problem: Problem) -> bytes:
    body = text_of(problem).encode()
    status = HTTPStatus(problem.kind.status)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: {MIMETYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

"""gunicorn's worker: a bound on the time that a connection may take, and refusals that repeat nothing of a request."""

import logging
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import gevent
from gunicorn.http.errors import ParseException
from gunicorn.workers.ggevent import GeventWorker

from api.problems import INTERNAL_ERROR, MALFORMED_REQUEST, MIMETYPE, Problem, places, text_of

REQUEST_SECONDS = 30  # who sends or reads so slowly is cut off; nginx waits no longer either

log = logging.getLogger(__name__)


class Worker(GeventWorker):  # type: ignore[misc]
    def handle_request(self, *request: Any) -> Any:
        with gevent.Timeout(REQUEST_SECONDS, False):
            return super().handle_request(*request)
        log.info("request_given_up after_seconds=%d", REQUEST_SECONDS)
        raise StopIteration  # gunicorn's word for: close the connection

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer what is no HTTP, and what went wrong outside the application: gunicorn would quote the request."""
        is_theirs = isinstance(exc, ParseException)
        if not is_theirs:
            log.error("connection_failed error=%s at=%s", type(exc).__name__, places(exc))
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

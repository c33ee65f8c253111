"""HTTP requests of clients, with bounds on their size and on the time in which they arrive."""

import logging
import socket
from collections.abc import Callable
from http.client import HTTPMessage
from typing import Any, BinaryIO

import gevent
from gevent.pywsgi import WSGIHandler

from telemetry.errors import describe

log = logging.getLogger(__name__)

REQUEST_TIMEOUT = 10  # seconds for the next request to arrive, and again for the rest of its body
HEADERS_MAX_BYTES = 32_768  # as in common proxies; http.client's own limit is a hundred lines of 64 KiB
HANDLER = "push.handler"  # the key of a request's handler in its WSGI environ


class TooManyHeaders(ValueError):
    """The request's headers exceed `HEADERS_MAX_BYTES`."""


class HttpHandler(WSGIHandler):  # type: ignore[misc]  # gevent has no types for it
    """One HTTP connection. Requests are not logged: their URLs may hold tokens."""

    def take_socket(self) -> socket.socket:
        """Hand the connection over to the current request, for a WebSocket."""
        self.close_connection = True
        return self.socket  # type: ignore[no-any-return]

    def read_requestline(self) -> Any:
        return self._within_timeout(super().read_requestline, "")

    def read_request(self, raw_requestline: str) -> Any:
        return self._within_timeout(lambda: super(HttpHandler, self).read_request(raw_requestline), None)

    def MessageClass(self, stream: BinaryIO, *_: object) -> HTTPMessage:  # noqa: N802  (pywsgi's name)
        """Parse the headers. pywsgi checks the `status` of the result, which is empty on success."""
        headers = super().MessageClass(_LimitedReader(stream, HEADERS_MAX_BYTES), 0)
        return headers  # type: ignore[no-any-return]

    def run_application(self) -> None:
        try:
            super().run_application()
        finally:
            if self._within_timeout(self._discard_body, False) is False:
                self.wsgi_input._chunked_input_error = True  # otherwise pywsgi waits for the rest without a timeout

    def get_environ(self) -> Any:
        environ = super().get_environ()
        environ[HANDLER] = self
        return environ

    def _discard_body(self) -> bool:
        self.wsgi_input._discard()
        return True

    def _within_timeout(self, read: Callable[[], Any], default: Any) -> Any:
        """The result of `read`; `default` after a timeout, and then this is the connection's last request."""
        with gevent.Timeout(REQUEST_TIMEOUT, False):
            return read()
        self.close_connection = True
        return default

    def _handle_client_error(self, ex: BaseException) -> Any:
        log.info("bad_request error=%s", type(ex).__name__)  # not its text, which holds the URL and so perhaps a token
        response = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return "400", response

    def _log_error(self, _t: object, error: BaseException, _tb: object) -> None:
        log.error("request_failed %s", describe(error))


class _LimitedReader:
    """Reads lines of a stream until a number of bytes is exceeded; then raises `TooManyHeaders`."""

    def __init__(self, stream: BinaryIO, max_bytes: int) -> None:
        self._stream, self._remaining = stream, max_bytes

    def readline(self, size: int) -> bytes:
        line = self._stream.readline(min(size, self._remaining + 1))
        self._remaining -= len(line)
        if self._remaining < 0:
            raise TooManyHeaders
        return line

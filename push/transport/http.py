"""HTTP under the sockets, with bounds: on a request's size, and on the time in which it arrives."""

import logging
from collections.abc import Callable
from http.client import HTTPMessage
from typing import Any, BinaryIO

import gevent
from gevent.pywsgi import WSGIHandler

from push.errors import describe

log = logging.getLogger(__name__)

REQUEST_TIMEOUT = 10  # seconds in which the next request, and what is left of its body, must arrive
HEADERS_MAX_BYTES = 32_768  # as proxies have it; http.client alone would take a hundred lines of 64 KiB


class TooManyHeaders(ValueError):
    """The request's headers are larger than any client's."""


class Handler(WSGIHandler):  # type: ignore[misc]  # gevent has no types for it
    """Gives WebSockets their socket, waits a bounded time for requests, and logs nothing of them."""

    def read_requestline(self) -> Any:
        return self._in_time(super().read_requestline, "")

    def read_request(self, raw_requestline: str) -> Any:
        return self._in_time(lambda: super(Handler, self).read_request(raw_requestline), None)

    def MessageClass(self, stream: BinaryIO, *_: object) -> HTTPMessage:  # noqa: N802  (pywsgi's name)
        """The headers. pywsgi looks for a `status` on them, which is empty when all is well."""
        headers = super().MessageClass(_Bounded(stream, HEADERS_MAX_BYTES), 0)
        return headers  # type: ignore[no-any-return]

    def run_application(self) -> None:
        try:
            super().run_application()
        finally:
            if self._in_time(self._discard_body, False) is False:
                self.wsgi_input._chunked_input_error = True  # or pywsgi would wait for the rest, for ever

    def get_environ(self) -> Any:
        environ = super().get_environ()
        environ["push.handler"] = self
        return environ

    def _discard_body(self) -> bool:
        self.wsgi_input._discard()
        return True

    def _in_time(self, read: Callable[[], Any], otherwise: Any) -> Any:
        with gevent.Timeout(REQUEST_TIMEOUT, False):
            return read()
        self.close_connection = True
        return otherwise

    def _handle_client_error(self, ex: BaseException) -> Any:
        log.info("bad_request error=%s", type(ex).__name__)  # its text holds the address, and that a token
        answer = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        return "400", answer

    def _log_error(self, _t: object, error: BaseException, _tb: object) -> None:
        log.error("request_failed %s", describe(error))


class _Bounded:
    """Lines of a stream, up to a number of bytes in all."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream, self._left = stream, most

    def readline(self, size: int) -> bytes:
        line = self._stream.readline(min(size, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise TooManyHeaders
        return line

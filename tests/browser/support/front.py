"""A reverse proxy in front of the stack's API that can answer in its place, or omit the CORS headers."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import requests

from dev.stack import Stack

GATE_SECONDS = 20
REQUEST_HEADERS = ("Authorization", "Content-Type", "If-None-Match")
RESPONSE_HEADERS = ("Content-Type", "ETag", "Retry-After")
PREFLIGHT = {"Access-Control-Allow-Headers": "*, Authorization", "Access-Control-Allow-Methods": "*"}

Answer = tuple[int, dict[str, str], bytes]


class Front:
    """Answers every request with `says` (status, content type, text); without it, asks the API."""

    def __init__(self, stack: Stack, says: tuple[int, str, str] | None = None, lets_in: bool = True) -> None:
        self.stack = stack
        self.says = says
        self.lets_in = lets_in
        self.gate = Event()  # while it is cleared, preflight requests wait
        self.gate.set()

    def mend(self) -> None:
        self.says, self.lets_in = None, True

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[str]:
        """Yields its address."""
        with ThreadingHTTPServer(("127.0.0.1", port), self._handler()) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    def _answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        if self.says:
            status, kind, text = self.says
            return status, {"Content-Type": kind}, text.encode()
        answer = requests.request(method, self.stack.api_url + path, headers=headers, data=body, timeout=10)
        response_headers = {name: answer.headers[name] for name in RESPONSE_HEADERS if name in answer.headers}
        return answer.status_code, response_headers, answer.content

    def _handler(front) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (`self` is the handler's)
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name: self.headers[name] for name in REQUEST_HEADERS if name in self.headers}
                status, returned, body = front._answer(self.command, self.path, headers, self.rfile.read(length))
                self._send(status, returned, body)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def do_OPTIONS(self) -> None:
                front.gate.wait(GATE_SECONDS)
                self._send(204, PREFLIGHT)

            def _send(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
                self.send_response(status)
                if front.lets_in:
                    self.send_header("Access-Control-Allow-Origin", "*")
                for name, value in headers.items():
                    self.send_header(name, value)
                if status not in (204, 304):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

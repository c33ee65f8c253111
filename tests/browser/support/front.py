"""Another server before the stack's API: it answers something else, or keeps other origins out, until it is mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import requests

from dev.stack import Stack

GATE_SECONDS = 20
HANDED_ON = ("Authorization", "Content-Type", "If-None-Match")
HANDED_BACK = ("Content-Type", "ETag", "Retry-After")
PREFLIGHT = {"Access-Control-Allow-Headers": "*, Authorization", "Access-Control-Allow-Methods": "*"}

Answer = tuple[int, dict[str, str], bytes]


class Front:
    """`says` is answered to everything, if it is there: status, content type, text. Else the API is asked."""

    def __init__(self, stack: Stack, says: tuple[int, str, str] | None = None, lets_in: bool = True) -> None:
        self.stack = stack
        self.says = says
        self.lets_in = lets_in
        self.gate = Event()  # closed: whoever asks whether they may ask waits
        self.gate.set()

    def mend(self) -> None:
        self.says, self.lets_in = None, True

    @contextmanager
    def listening(self, port: int = 0) -> Iterator[str]:
        """Its address."""
        with ThreadingHTTPServer(("127.0.0.1", port), self._handler()) as server:
            Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    def _answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if self.says:
            status, kind, text = self.says
            return status, {"Content-Type": kind}, text.encode()
        answer = requests.request(method, self.stack.api_url + path, headers=headers, data=body, timeout=10)
        told = {name: answer.headers[name] for name in HANDED_BACK if name in answer.headers}
        return answer.status_code, told, answer.content

    def _handler(front) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (`self` is the handler's)
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name: self.headers[name] for name in HANDED_ON if name in self.headers}
                status, told, body = front._answer(self.command, self.path, headers, self.rfile.read(length))
                self._send(status, told, body)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815

            def do_OPTIONS(self) -> None:
                front.gate.wait(GATE_SECONDS)
                self._send(
                    204, {"Access-Control-Allow-Headers": "*, Authorization", "Access-Control-Allow-Methods": "*"}
                )

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

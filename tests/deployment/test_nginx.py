"""nginx/belfry.conf.template in a real nginx, in front of the API and two push servers, as in docker-compose.yml."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import requests

from dev.nginx import Nginx
from dev.stack import answers
from models.limits import REQUEST_MAX_BYTES
from push.transport.limits import PING_INTERVAL, PING_TIMEOUT
from tests.support import wait_for
from tests.support.compose_processes import (
    NGINX_TEMPLATE,
    ComposeProcesses,
    bearer,
    compose_processes,
    publish,
    start_nginx,
    token,
)
from tests.support.screens import POLLING, STOCK, WEBSOCKET, Screen, screens

pytestmark = pytest.mark.slow

PUSH = ("push-1", "push-2")


@dataclass(frozen=True)
class Front:
    system: ComposeProcesses
    nginx: Nginx

    @property
    def url(self) -> str:
        return self.system.url("nginx")

    def lines(self, path: str) -> list[str]:
        """The lines of the access log for this path."""
        return [line for line in self.nginx.output().splitlines() if f'path="{path}"' in line]

    def upstreams(self, path: str) -> set[str]:
        """The services to which requests for this path were forwarded."""
        names = {f"127.0.0.1:{port}": name for name, port in self.system.ports.items()}
        addresses = re.findall(r'upstream="([^"]*)"', "\n".join(self.lines(path)))
        return {names[address] for each in addresses for address in each.split(", ") if address in names}


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    with compose_processes() as system, start_nginx(system) as nginx:
        yield Front(system, nginx)


@pytest.fixture(autouse=True)
def everything_runs(front: Front) -> None:
    for name in (*PUSH, "api"):
        process = front.system.processes[name]
        if not process.running:
            process.start()
    for name in PUSH:
        wait_for(lambda name=name: answers(f"{front.system.url(name)}/readyz"), what=f"{name} to hear")  # type: ignore[misc]


def test_websocket_clients_connect_ten_of_ten_and_share_both_servers(front: Front) -> None:
    with screens(10, front.url, "walter", WEBSOCKET) as opened:
        id_ = publish(front.url, "walter")
        for screen in opened:
            screen.expect(id_)
    wait_for(lambda: front.upstreams("/socket.io/") == set(PUSH), what="both push servers in the log")


@pytest.mark.parametrize(("transports", "ends_as"), [(POLLING, "polling"), (STOCK, "websocket")])
def test_clients_that_poll_connect_ten_of_ten(front: Front, transports: tuple[str, ...], ends_as: str) -> None:
    with screens(10, front.url, "polly", transports) as opened:
        assert {screen.transport for screen in opened} == {ends_as}
        id_ = publish(front.url, "polly")
        for screen in opened:
            screen.expect(id_)


def test_the_clients_of_a_killed_push_server_come_back_through_the_other(front: Front) -> None:
    with ExitStack() as stack:
        kinds = (WEBSOCKET, POLLING, STOCK)
        opened = [each for kind in kinds for each in stack.enter_context(screens(2, front.url, "viola", kind))]
        front.system.processes["push-1"].kill()
        reach_all(front, "viola", opened)  # all of them by push-2
        front.system.processes["push-1"].start()
        front.system.processes["push-2"].kill()
        reach_all(front, "viola", opened)
        assert all(screen.drops for screen in opened)


def test_no_token_reaches_the_logs_whatever_fails(front: Front) -> None:
    with screens(1, front.url, "tom", WEBSOCKET, token_in_query=True) as opened:
        with screens(1, front.url, "tom", POLLING, token_in_query=True) as polling:
            reach_all(front, "tom", opened + polling)
        for name in PUSH:
            front.system.processes[name].kill()
        wait_for(lambda: any("status=502" in line for line in front.lines("/socket.io/")), 20, "failures in the log")
    assert "token" not in front.nginx.output()
    assert token("tom")[:20] not in front.nginx.output()


def test_the_api_answers_through_it_and_gets_the_path_as_it_was_sent(front: Front) -> None:
    topic = "/v1/subscriptions/a%2F%2Fb%20%3F"
    assert requests.put(front.url + topic, headers=bearer("rhea"), timeout=10).status_code == 204
    topics = requests.get(f"{front.url}/v1/subscriptions", headers=bearer("rhea"), timeout=10).json()
    assert topics == {"topics": ["a//b ?"]}


def test_it_compresses_in_place_of_the_api(front: Front) -> None:
    plain = requests.get(f"{front.url}/openapi.json", headers={"Accept-Encoding": "identity"}, timeout=10)
    packed = requests.get(f"{front.url}/openapi.json", headers={"Accept-Encoding": "gzip"}, timeout=10)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Length" not in packed.headers  # the API would have sent it
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert packed.content == plain.content
    known = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert requests.get(f"{front.url}/openapi.json", headers=known, timeout=10).status_code == 304


def test_a_body_of_300_kib_is_refused_in_the_words_of_the_api(front: Front) -> None:
    refused, by_api = (message(url, 300 * 1024) for url in (front.url, front.system.url("api")))
    assert (refused.status_code, refused.headers["Content-Type"]) == (413, "application/problem+json")
    assert refused.json() == by_api.json()


def test_the_largest_body_that_the_api_takes_passes(front: Front) -> None:
    assert message(front.url, REQUEST_MAX_BYTES).status_code == 202
    assert message(front.url, REQUEST_MAX_BYTES + 1).status_code == 413
    wait_for(lambda: "status=413" in front.lines("/v1/messages")[-1], 10, "the refusal in the log")
    assert 'upstream="-"' in front.lines("/v1/messages")[-1]


def test_an_api_that_is_away_is_a_problem_that_says_when_to_come_back(front: Front) -> None:
    front.system.processes["api"].stop()
    answer = requests.get(f"{front.url}/v1/inbox", headers=bearer("bob"), timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
    assert answer.headers["Retry-After"] == "2"
    assert (answer.json()["status"], answer.json()["code"]) == (503, "api_unavailable")


def test_what_it_answers_itself_runs_nothing_either(front: Front) -> None:
    for answer in (requests.get(f"{front.url}/metrics", timeout=10), message(front.url, 300 * 1024)):
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.json()["status"] == answer.status_code


def test_what_a_client_claims_of_its_address_is_dropped(front: Front, tmp_path: Path) -> None:
    forged = {name: "6.6.6.6" for name in ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Forwarded")}
    with echo() as port:
        system = ComposeProcesses(tmp_path, front.system.services, {})
        system.ports |= dict.fromkeys(("api", *PUSH), port)
        with start_nginx(system):
            for path in ("/v1/inbox", "/socket.io/"):
                response = requests.get(system.url("nginx") + path, headers=forged, timeout=10)
                assert "6.6.6.6" not in response.text
                assert response.json()["X-Forwarded-For"] == "127.0.0.1"
                assert response.json()["X-Forwarded-Proto"] == "http"


def test_a_silent_socket_is_kept_for_longer_than_a_ping_takes_to_fail() -> None:
    location = NGINX_TEMPLATE.read_text().partition("location /socket.io/")[2].partition("}")[0]
    timeout = re.search(r"proxy_read_timeout (\d+)s;", location)
    assert timeout
    assert int(timeout[1]) > PING_INTERVAL + PING_TIMEOUT


def reach_all(front: Front, sub: str, opened: list[Screen]) -> None:
    """Publish until one notification reaches every screen; a screen misses what is published while it reconnects."""

    def reached() -> bool:
        id_ = publish(front.url, sub)
        try:
            for screen in opened:
                screen.expect(id_, timeout=1)
        except TimeoutError:
            return False
        return True

    wait_for(reached, 30, "a notification on every screen")


def message(url: str, size: int) -> requests.Response:
    """Post a valid message with a body of this many bytes."""
    body = json.dumps({"to": "mia", "text": "hello"}).ljust(size).encode()
    headers = bearer("max") | {"Content-Type": "application/json"}
    return requests.post(f"{url}/v1/messages", data=body, headers=headers, timeout=10)


@contextmanager
def echo() -> Iterator[int]:
    """The port of a server that returns the headers of each request."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(dict(self.headers)).encode())

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()

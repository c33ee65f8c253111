"""The process: how it starts, refuses to start, and ends."""

import http.client
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dev.processes import accepts, free_port
from tests.api.running import ROOT, SECRET, Api, environment_for, running_api
from tests.support import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return environment_for(f"sqlite:///{tmp_path}/belfry.sqlite", "redis://127.0.0.1:1/0", free_port())


def start(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "api"]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)


def test_a_taken_port_is_named_with_what_to_set(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(environment["API_PORT"]))):
        ended = start(environment)
    assert ended.returncode == 2
    assert ended.stderr == (
        f"Cannot listen on 127.0.0.1:{environment['API_PORT']} (Address already in use). Set API_PORT to a free port.\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWT_SECRET", ""),
        ("JWT_SECRET", "short"),
        ("DATABASE_URL", "mysql://x/y"),
        ("BROKER_URL", ""),
        ("API_PORT", "x"),
    ],
)
def test_an_unusable_environment_is_refused_in_words(environment: dict[str, str], name: str, value: str) -> None:
    ended = start(environment | {name: value})
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"Belfry cannot start:\n  - {name}")
    assert "Traceback" not in ended.stderr


def test_what_cannot_be_is_not_hidden_by_a_port_that_is_taken(environment: dict[str, str]) -> None:
    assert "JWT_SECRET" in start(environment | {"JWT_SECRET": "short", "API_PORT": "99999"}).stderr


def half_a_request(api: Api) -> http.client.HTTPConnection:
    """A POST with an incomplete body."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=10)
    connection.putrequest("POST", "/v1/messages")
    for name, value in {**api.named("alice").headers, "Content-Length": "30"}.items():
        connection.putheader(name, value)
    connection.endheaders(b'{"to": "bob", ')
    return connection


def test_sigterm_lets_a_request_in_flight_end_and_takes_no_new_one(tmp_path: Path) -> None:
    with running_api(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path) as api:
        port = urlsplit(api.url).port or 0
        connection = half_a_request(api)
        api.http.get("/healthz")  # the half one was begun before
        api.http.close()
        api.process._popen.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        wait_for(lambda: not accepts(port), 10, "the listener to close")
        connection.send(b'"text": "hello"}')
        assert connection.getresponse().status == 202
        connection.close()
        wait_for(lambda: not api.process.running, 10, "the API to end")
        assert api.process.stop() == 0


def test_the_log_holds_neither_addresses_nor_queries_nor_tokens(tmp_path: Path) -> None:
    with running_api(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path, LOG_LEVEL="DEBUG") as api:
        api.http.get("/v1/inbox", params={"kind": "very-private"})
        api.named("alice").get("/v1/inbox", kind="very-private")
        with socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0)) as rude:
            rude.sendall(b"GET /very-private\r\n\r\n")
            rude.recv(1000)
        log = api.process.output()
    assert "listening host=127.0.0.1" in log
    assert "very-private" not in log
    assert "Bearer" not in log
    assert SECRET not in log


def test_an_answer_comes_in_one_piece_and_the_next_over_the_same_connection(tmp_path: Path) -> None:
    with (
        running_api(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path) as api,
        socket.create_connection(("127.0.0.1", urlsplit(api.url).port or 0), timeout=10) as connection,
    ):
        for _ in range(5):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _, body = connection.recv(65_536).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert f"Content-Length: {len(body)}".encode() in head
            assert body


def test_blocking_waits_are_cooperative(tmp_path: Path) -> None:
    """A client that sends slowly delays no other."""
    with running_api(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path) as api:
        slow = [half_a_request(api) for _ in range(20)]
        assert api.http.get("/healthz", timeout=2).status_code == 200
        for connection in slow:
            connection.close()

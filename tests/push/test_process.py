"""`python -m push` as a process: what it refuses, how it ends, and what it answers beside sockets."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from dev.processes import free_port, wait_for
from tests.push.clients import RawSocket, Screen
from tests.push.support import PushProcess, added, push_environ

pytestmark = pytest.mark.slow

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]


def run(**changes: str) -> subprocess.CompletedProcess[str]:
    env = push_environ("s" * 32, "redis://127.0.0.1:1", free_port()) | changes
    return subprocess.run(
        [sys.executable, "-m", "push"], env=env, capture_output=True, text=True, timeout=90, check=False
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JWT_SECRET", ""),
        ("JWT_SECRET", "weak"),
        ("BROKER_URL", "http://x"),
        ("PUSH_PORT", "no"),
        ("CORS_ORIGINS", "*"),
    ],
)
def test_unusable_settings_are_refused_in_words_with_exit_code_2(variable: str, value: str) -> None:
    ended = run(**{variable: value})
    assert ended.returncode == 2
    assert variable in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_taken_port_is_named_with_what_to_set() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(PUSH_PORT=str(port))
    assert ended.returncode == 2
    assert str(port) in ended.stderr
    assert "PUSH_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_and_clients_learn_it(
    start_push: Start, redis_url: str, number: signal.Signals
) -> None:
    server = start_push(redis_url)
    bob, polling = RawSocket(server.port), server.get("/socket.io/?EIO=4&transport=polling")
    bob.open(server.token("bob"))
    assert polling.ok

    os.kill(server.process.pid, number)
    assert bob.read_text() is None  # without Engine.IO's CLOSE, after which Python's client does not come back
    wait_for(lambda: not server.process.running, 5, "the process to end")
    assert server.process.stop() == 0
    assert "push_stopped" in server.log()
    assert "Traceback" not in server.log()


def test_health_is_answered_and_everything_else_is_not_found(push: PushProcess) -> None:
    assert push.get("/healthz").json() == {"status": "ok"}
    assert push.get("/readyz").json() == {"status": "ready"}
    for path in ("/", "/healthz/", "/socket.iox", "/metricsx", "/../etc/passwd"):
        answer = push.get(path)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "not_found"


def test_metrics_tell_what_it_holds_and_has_done(start_push: Start, redis_url: str, screen: Turn) -> None:
    server = start_push(redis_url)
    bobs, alice = [screen(server, "bob") for _ in range(2)], screen(server, "alice")
    screen(server, "mallory", token="none")
    server.announce(added("bob", 1), added("nobody here", 1))
    for bob in bobs:
        bob.expect_versions(1)
    answer = server.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    told = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert told["belfry_push_sockets"] == "3.0"
    assert told["belfry_push_users"] == "2.0"
    assert told["belfry_push_announcements_received_total"] == "2.0"
    assert told['belfry_push_refused_total{code="unauthorized"}'] == "1.0"
    assert told["belfry_push_broker_connected"] == told["belfry_push_revocations_loaded"] == "1.0"
    assert float(told["belfry_push_packets_sent_total"]) > 5
    assert "bob" not in answer.text
    alice.close()
    wait_for(lambda: "belfry_push_users 1.0" in server.get("/metrics").text, what="alice's end")


def test_a_connection_that_sends_no_request_is_closed(push: PushProcess) -> None:
    with (
        socket.create_connection(("127.0.0.1", push.port)) as silent,
        socket.create_connection(("127.0.0.1", push.port)) as drip,
    ):
        drip.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        for connection in (silent, drip):
            connection.settimeout(15)
            while connection.recv(1000):
                pass


def test_requests_that_are_none_are_answered_400_with_one_line(push: PushProcess) -> None:
    before = push.log().count("\n")
    for request in (b"\r\n\r\n\r\n", b"x" * 10_000 + b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe\x00\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", push.port)) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5)
            connection.recv(1000)
    assert push.log().count("\n") - before <= 4
    assert "Traceback" not in push.log()

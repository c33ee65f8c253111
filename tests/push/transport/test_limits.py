"""The bounds of a push server: sockets in all and of one user, headers, bodies, and lines in its log."""

import json
import socket
from collections.abc import Callable

import requests

from dev.processes import wait_for
from push.transport.http import HEADERS_MAX_BYTES
from telemetry.log_sampling import MAX_LINES
from tests.push.clients import RawSocket, Screen, rejected
from tests.push.support import PushProcess, added, memory_of

OpenScreen = Callable[..., Screen]
Start = Callable[..., PushProcess]


def opened(server: PushProcess, owner: str) -> RawSocket:
    raw = RawSocket(server.port)
    assert raw.open(server.token(owner))["packet"] == "40"
    return raw


def test_a_user_has_so_many_sockets_the_next_is_refused_and_one_that_closes_makes_room(
    start_push: Start, redis_url: str
) -> None:
    server = start_push(redis_url, PUSH_MAX_SOCKETS_PER_USER="3")
    bobs = [opened(server, "bob") for _ in range(3)]
    one_more = RawSocket(server.port)
    refused = one_more.open(server.token("bob"))
    assert refused == {"packet": "44", "message": "too_many_sockets", "data": {"code": "too_many_sockets"}}
    one_more.closes_within(5)
    opened(server, "alice").close()
    server.announce(added("bob", 1))
    for bob in bobs:
        assert (bob.read_text() or "").startswith('42["notification"')
    bobs[0].close()
    wait_for(lambda: "client_disconnected" in server.log(), what="the server to notice")
    opened(server, "bob").close()
    assert 'belfry_push_refused_total{code="too_many_sockets"} 1.0' in server.get("/metrics").text


def test_a_full_server_answers_503_to_who_comes_serves_who_is_there_and_takes_others_when_some_left(
    start_push: Start, redis_url: str
) -> None:
    server = start_push(redis_url, PUSH_MAX_SOCKETS="4")
    first, *others = [opened(server, f"user {number}") for number in range(4)]
    assert rejected(RawSocket(server.port)) == 503
    answer = server.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "server_full"
    assert int(answer.headers["Retry-After"]) > 0
    assert server.get("/healthz").ok
    server.announce(added("user 0", 1))
    assert (first.read_text() or "").startswith('42["notification"')
    first.close()
    wait_for(lambda: "client_disconnected" in server.log(), what="the server to notice")
    opened(server, "user 4").close()
    for other in others:
        other.close()


def test_a_thousand_transports_without_a_token_leave_no_memory_no_files_and_a_short_log(push: PushProcess) -> None:
    warm = [RawSocket(push.port) for _ in range(50)]
    for raw in warm:
        raw.open("nonsense")
        raw.close()
    memory, lines = memory_of(push), push.log().count("\n")
    for _ in range(10):
        flood = [RawSocket(push.port) for _ in range(100)]
        for raw in flood:
            assert raw.open("nonsense")["packet"] == "44"
        for raw in flood:
            raw.close()
    wait_for(lambda: "belfry_push_transports 0.0" in push.get("/metrics").text, 15, "all to be gone")
    assert memory_of(push) - memory < 8_000_000
    assert push.log().count("\n") - lines < 1000
    assert "suppressed=" in push.log() or push.log().count("client_refused") <= 10 * MAX_LINES


def test_headers_are_bounded_and_so_is_what_is_kept_of_them(push: PushProcess) -> None:
    memory = memory_of(push)
    greedy = []
    for _ in range(20):
        connection = socket.create_connection(("127.0.0.1", push.port))
        connection.settimeout(15)
        greedy.append(connection)
        line = b"X-Much: " + b"x" * 60_000 + b"\r\n"
        try:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + line * 90)
        except OSError:
            continue  # the server has closed it already
    for connection in greedy:
        with connection:
            assert ends(connection)
    assert memory_of(push) - memory < 4_000_000
    fits = {"X-Much": "x" * (HEADERS_MAX_BYTES // 2)}
    assert push.get("/healthz", headers=fits).ok


def test_a_body_that_never_comes_does_not_hold_a_connection(push: PushProcess) -> None:
    connections = []
    for path in (b"/healthz", b"/socket.io/?EIO=4&transport=polling&sid=none", b"/socket.io/?EIO=4"):
        for how in (b"Content-Length: 60000", b"Content-Length: 9999999999", b"Transfer-Encoding: chunked"):
            connection = socket.create_connection(("127.0.0.1", push.port))
            connection.settimeout(25)
            connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (path, how))
            connections.append(connection)
    for connection in connections:
        with connection:
            assert ends(connection)


def test_a_body_above_the_bound_is_refused_unread(push: PushProcess) -> None:
    sid = json.loads(push.get("/socket.io/?EIO=4&transport=polling").text[1:])["sid"]
    url = f"{push.url}/socket.io/?EIO=4&transport=polling&sid={sid}"
    memory = memory_of(push)
    try:
        status = requests.post(url, data=b"4" * 50_000_000, timeout=15).status_code
    except requests.RequestException:
        status = 400  # the connection was closed under it
    assert status == 400
    assert memory_of(push) - memory < 4_000_000


def ends(connection: socket.socket) -> bool:
    """Whether the server closes it before the socket's timeout."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True

"""A push server as a process, a screen as a Socket.IO client, and a client that speaks to the socket by hand."""

import atexit
import functools
import json
import os
import queue
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import redis
import requests
import socketio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    RejectConnection,
    Request,
    TextMessage,
)

from auth.tokens import issue
from client.ordered import OrderedClient
from dev.processes import Process, free_port, wait_for
from dev.rabbitmq import RabbitMQ
from models.db.database import Database
from models.schema.revocations import revocations
from push.broker.announcer import Announcer
from push.broker.wire import Announcement
from tests.conftest import demand_service

PATIENCE = 10.0


class Server(Protocol):
    @property
    def url(self) -> str: ...

    def token(self, owner: str, seconds: float = 600, scopes: tuple[str, ...] = ("inbox",)) -> str: ...


@dataclass
class PushProcess:
    """`python -m push`, running."""

    process: Process
    port: int
    secret: str
    broker_url: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def token(self, owner: str, seconds: float = 600, scopes: tuple[str, ...] = ("inbox",)) -> str:
        return issue(self.secret, owner, scopes, seconds)

    def announce(self, *announcements: Announcement) -> None:
        announcer = Announcer(self.broker_url)
        announcer.announce(announcements)
        announcer.close()

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=5, **options)

    def log(self) -> str:
        return self.process.output()


def push_process(
    broker_url: str, log: Path, ready: str = "/readyz", settings: Mapping[str, str] | None = None
) -> PushProcess:
    """A push server on a free port, not started yet."""
    port, secret = free_port(), secrets.token_hex(32)
    env = {**push_environ(secret, broker_url, port), **(settings or {})}
    command = [sys.executable, "-m", "push"]
    return PushProcess(
        Process("push", command, log, env=env, ready=lambda: answers(port, ready), startup_timeout=90),
        port,
        secret,
        broker_url,
    )


def push_environ(secret: str, broker_url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": f"sqlite:///{database_without_revocations()}",
        "BROKER_URL": broker_url,
        "JWT_SECRET": secret,
        "PUSH_PORT": str(port),
    }


@functools.cache
def database_without_revocations() -> Path:
    """All that a push server asks of a database, for the tests in which nobody is revoked."""
    folder = Path(tempfile.mkdtemp(prefix="belfry-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = Database(f"sqlite:///{folder}/belfry.sqlite")
    revocations.create(database.engine)
    database.dispose()
    return folder / "belfry.sqlite"


def answers(port: int, path: str) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}{path}", timeout=1).ok
    except requests.RequestException:
        return False


def memory_of(push: PushProcess) -> int:
    """Bytes of the process in memory."""
    with open(f"/proc/{push.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def added(recipient_id: str, version: int, body: str = "") -> Announcement:
    payload = {"version": version, "epoch": "e", "change": "added", "item": {"seq": version, "body": body}}
    return Announcement(recipient_id, payload | {"unread": version, "unseen": version})


class Screen:
    """What one connected client is shown, event by event."""

    def __init__(
        self,
        server: Server,
        owner: str,
        *,
        token: str | None = None,
        transports: list[str] | None = None,
        query: str = "",
        auth: object = "token",
        acknowledge: bool = False,
    ) -> None:
        self.shown: queue.Queue[tuple[str, Any]] = queue.Queue()
        self.refusal: Any = None
        self._acknowledge = acknowledge
        self.client = OrderedClient(reconnection=False, handle_sigint=False)
        self.client.on("*", self._show)
        self.client.on("connect_error", self._refused)
        self.client.on("disconnect", lambda reason: self.shown.put(("disconnect", reason)))
        given = {"token": token or server.token(owner)} if auth == "token" else auth
        try:
            self.client.connect(server.url + query, auth=given, transports=transports, wait_timeout=PATIENCE)
        except socketio.exceptions.ConnectionError:
            assert self.refusal is not None

    def _show(self, event: str, *args: Any) -> Any:
        self.shown.put((event, args[0] if len(args) == 1 else args))
        return "seen" if self._acknowledge else None

    def _refused(self, reason: Any) -> None:
        self.refusal = reason

    def next(self, timeout: float = PATIENCE) -> tuple[str, Any]:
        """The next event and what it carries."""
        try:
            return self.shown.get(timeout=timeout)
        except queue.Empty:
            pytest.fail(f"nothing was shown within {timeout} s")

    def expect(self, event: str, timeout: float = PATIENCE) -> Any:
        """The next event, which must be this one."""
        name, payload = self.next(timeout)
        assert name == event, f"shown {name} {payload}, not {event}"
        return payload

    def expect_versions(self, *versions: int) -> None:
        """Exactly these notifications are shown next, in this order."""
        assert [self.expect("notification")["version"] for _ in versions] == list(versions)

    def ask(self, event: str, *args: Any) -> Any:
        """Emit an event and return what the server acknowledges."""
        return self.client.call(event, args or None, timeout=PATIENCE)

    def close(self) -> None:
        self.client.shutdown()


class RawSocket:
    """A WebSocket client that reads when it is told to, and may send anything."""

    def __init__(
        self,
        port: int,
        query: str = "EIO=4&transport=websocket",
        receive_buffer: int = 0,
        headers: Mapping[str, str] = {},
    ) -> None:
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(("127.0.0.1", port))
        self._ws = WSConnection(ConnectionType.CLIENT)
        extra = [(name.encode(), value.encode()) for name, value in headers.items()]
        target = f"/socket.io/?{query}"
        self.sock.sendall(self._ws.send(Request(host=f"127.0.0.1:{port}", target=target, extra_headers=extra)))
        self.handshake = self.read()

    def read(self) -> Event | None:
        """The next WebSocket event; None when the connection has ended."""
        while True:
            for event in self._ws.events():
                return event
            try:
                data = self.sock.recv(65536)
            except ConnectionError:
                return None
            if not data:
                return None
            self._ws.receive_data(data)

    def read_text(self) -> str | None:
        """The next message, whole; None when the connection has ended."""
        text = ""
        while True:
            event = self.read()
            if event is None or isinstance(event, CloseConnection):
                return None
            if isinstance(event, TextMessage):
                text += event.data
                if event.message_finished:
                    return text

    def send(self, text: str | bytes) -> None:
        self.send_bytes(self._ws.send(TextMessage(text) if isinstance(text, str) else BytesMessage(text)))

    def send_event(self, event: Event) -> None:
        self.send_bytes(self._ws.send(event))

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def open(self, token: str) -> dict[str, Any]:
        """Engine.IO's and Socket.IO's greetings; returns the namespace's answer."""
        assert isinstance(self.handshake, AcceptConnection), self.handshake
        opened = self.read_text()
        assert opened is not None
        assert opened.startswith("0")
        self.send(f"40{json.dumps({'token': token})}")
        answer = self.read_text()
        assert answer is not None
        return {"packet": answer[:2], **json.loads(answer[2:])}

    def closes_within(self, seconds: float) -> float:
        """How long the server took to end the connection."""
        started = time.monotonic()
        self.sock.settimeout(seconds)
        while True:
            try:
                if not self.sock.recv(65536):
                    return time.monotonic() - started
            except ConnectionError:
                return time.monotonic() - started
            except TimeoutError:
                pytest.fail(f"the connection was still open after {seconds} s")

    def close(self) -> None:
        self.sock.close()


def rejected(raw: RawSocket) -> int | None:
    return raw.handshake.status_code if isinstance(raw.handshake, RejectConnection) else None


def is_ready(server: PushProcess) -> bool:
    return server.get("/readyz").status_code == 200


def wait_until_ready(server: PushProcess, *, ready: bool = True) -> None:
    wait_for(lambda: is_ready(server) is ready, 40, f"readiness to be {ready}")


def lose_the_subscription(broker_url: str) -> None:
    """The broker closes every connection of this test's own place in it."""
    if broker_url.startswith("redis"):
        with redis.Redis.from_url(broker_url) as connection:
            for client in connection.client_list("pubsub"):
                if client["db"] == broker_url.rpartition("/")[2]:
                    connection.client_kill_filter(_id=client["id"])
        return
    mine = f"rabbit_networking:connection_info(P, [vhost]) =:= [{{vhost, {vhost_of(broker_url)}}}]"
    rabbit().evaluate(
        f'[rabbit_networking:close_connection(P, <<"test">>) || P <- rabbit_networking:connections(), {mine}]'
    )


def rabbit() -> RabbitMQ:
    return RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))


def vhost_of(url: str) -> str:
    return f'<<"{url.rpartition("/")[2]}">>'

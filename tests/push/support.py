"""A push server as a process, what it can be announced, and what a test may do to its broker."""

import atexit
import functools
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
import requests

from auth.tokens import issue
from dev.processes import Process, free_port, wait_for
from dev.rabbitmq import RabbitMQ
from models.db.database import Database
from models.schema.revocations import revocations
from push.broker.announcer import Announcer
from push.broker.wire import Announcement
from tests.conftest import demand_service


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

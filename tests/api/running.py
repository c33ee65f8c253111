"""The API as a process with a real database, and its callers."""

import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from alembic import command
from alembic.config import Config
from sqlalchemy import func, select

from auth.tokens import issue
from dev.processes import Process, accepts, free_port
from models.db.database import Database
from models.delivery import deliver as delivery
from models.delivery import fanout
from models.schema import metadata
from settings import load_settings

ROOT = Path(__file__).parents[2]
SECRET = "a secret of the tests, long enough for HS256"
NO_BROKER = "redis://127.0.0.1:1/0"  # nothing listens on port 1: refused at once


@dataclass(frozen=True)
class Caller:
    """A user or a producer with a token. `id` is unique, so that tests may share a server."""

    id: str
    http: httpx.Client
    headers: Mapping[str, str]

    def request(self, method: str, path: str, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        return self.http.request(method, path, headers={**self.headers, **(headers or {})}, **more)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.request("GET", path, params=query)

    def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        return self.request("POST", path, {"Idempotency-Key": key} if key else {}, json=body)

    def patch(self, path: str, body: Any) -> httpx.Response:
        return self.request("PATCH", path, json=body)

    def put(self, path: str, body: Any = None) -> httpx.Response:
        return self.request("PUT", path) if body is None else self.request("PUT", path, json=body)

    def delete(self, path: str) -> httpx.Response:
        return self.request("DELETE", path)

    def inbox(self, **query: Any) -> dict[str, Any]:
        page: dict[str, Any] = answered(self.get("/v1/inbox", **query), 200)
        return page

    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = answered(self.get("/v1/inbox/summary"), 200)
        return summary

    def changes(self, since: int, **query: Any) -> dict[str, Any]:
        changes: dict[str, Any] = answered(self.get("/v1/inbox/changes", since=since, **query), 200)
        return changes


@dataclass(frozen=True)
class Api:
    url: str
    process: Process
    database: Database
    http: httpx.Client  # without a token

    def caller(self, name: str, *scopes: str) -> Caller:
        """A caller with a unique id that begins with this name."""
        return self.named(f"{name}-{uuid4().hex[:8]}", *scopes)

    def named(self, sub: str, *scopes: str) -> Caller:
        token = issue(SECRET, sub, scopes or ("inbox",), 600)
        return Caller(sub, self.http, {"Authorization": f"Bearer {token}"})

    def deliver(self, *answers: httpx.Response) -> None:
        """Deliver the notifications that these responses accepted, as the task does."""
        self.deliver_ids([answered(answer, 202)["id"] for answer in answers])

    def deliver_ids(self, named: Sequence[str]) -> None:
        ids = [UUID(one) for one in named]
        now = datetime.now(UTC)
        with self.database.transaction() as conn:
            for id_ in delivery.deliver(conn, ids, now).broadcasts:
                fanout.fan_out(conn, id_, 1000, now)

    def raw(self, request: bytes) -> bytes:
        """The response to these bytes, until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.http.base_url.port or 0), timeout=20) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stored(self) -> dict[str, int]:
        """The number of rows of each table."""
        with self.database.snapshot() as conn:
            return {
                table.name: conn.scalar(select(func.count()).select_from(table)) or 0
                for table in metadata.sorted_tables
            }


@contextmanager
def running_api(
    database_url: str,
    folder: Path,
    *,
    broker_url: str = NO_BROKER,
    migrated: bool = True,
    arguments: Sequence[str] = ("-m", "api"),
    **more: str,
) -> Iterator[Api]:
    """Run `python -m api` on a free port, with a migrated database."""
    port = free_port()
    environment = environment_for(database_url, broker_url, port) | more
    url = load_settings(environment).database_url
    if migrated:
        migrate(url)
    process = api_process(environment, folder, port, arguments)
    database = Database(url)
    try:
        with process, httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            yield Api(str(http.base_url), process, database, http)
    finally:
        database.dispose()


def environment_for(database_url: str, broker_url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "JWT_SECRET": SECRET,
        "API_PORT": str(port),
        "CORS_ORIGINS": "https://app.example.com",
        "PUBLIC_PUSH_URL": "https://push.example.com",
    }


def api_process(
    environment: Mapping[str, str], folder: Path, port: int, arguments: Sequence[str] = ("-m", "api")
) -> Process:
    log = folder / f"api-{port}.log"
    command = [sys.executable, *arguments]
    return Process("api", command, log, ready=lambda: accepts(port), env=environment, cwd=ROOT)


def migrate(database_url: str) -> None:
    config = Config(ROOT / "alembic.ini")
    config.attributes["database_url"] = database_url
    command.upgrade(config, "head")


def answered(answer: httpx.Response, status: int) -> Any:
    """The JSON of a response, which must have this status."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:500]}"
    return answer.json()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem of a response, which must be complete and have this status and code."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text[:500]
    body: dict[str, Any] = answered(answer, status)
    assert body.keys() == {"type", "title", "status", "code", "detail", "errors"}
    assert (body["status"], body["code"]) == (status, code), body
    assert all(error.keys() == {"field", "code", "message"} for error in body["errors"])
    return body


def fields(body: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """The fields of the errors, with their codes."""
    return [(error["field"], error["code"]) for error in body["errors"]]

"""Whatever is on the task queue that is no task of ours is dropped, logged and not run, and the worker goes on."""

import json
import pickle
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kombu
import pytest
import redis

from dev.embedded import migrate
from dev.processes import Process
from dev.stack import ROOT, command_environment, procfile
from models.db.database import Database
from models.notifications import accept
from models.notifications.accept import NewNotification
from tests.support import reading, wait_for
from workers.queues import DELIVER, DELIVERIES_QUEUE

pytestmark = pytest.mark.slow

SECRET = "a secret of the tests, longer than 32 bytes"
SECRET_WORDS = "what nobody else may read " * 10
NO_ENVELOPES = [
    b"junk",
    b"\xff\xfe",
    b"5",
    b"null",
    b"[]",
    b"{}",
    b'{"properties": 5}',
    b'{"properties": {"body_encoding": "base64"}, "body": 5}',
    b'{"properties": {"delivery_tag": "1", "body_encoding": "unheard of"}, "body": "x", "headers": 5}',
    b'{"properties": {"delivery_tag": "2"}, "body": "x", "headers": 5, "content-type": [], "content-encoding": 5}',
    b'{"properties": {"delivery_tag": "3", "delivery_info": 5}, "body": "x", "headers": {}}',
    b"[" * 100_000,
]
HOSTILE_HEADERS: list[dict[str, Any]] = [
    {"task": [DELIVER]},
    {"task": {}},
    {"task": None},
    {"id": None},
    {"id": ["x"]},
    {"id": "i" * 100_000, "task": "t" * 100_000},
    {"timelimit": "soon"},
    {"timelimit": [-1, -1], "eta": "yesterday", "retries": "many"},
    {"expires": {"no": "time"}},
    {"expires": "no time"},
    {"compression": "gzip"},
    {"compression": "unheard of"},
    {"group": [], "chord": 5, "root_id": {}, "parent_id": [], "ignore_result": "x", "stamps": 5, "delivery_info": 5},
]
PATIENCE = 60.0


class Bomb:
    """Unpickled, it leaves a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


@pytest.fixture(params=["rabbitmq", "redis"])
def broker_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@contextmanager
def worker(folder: Path, database_url: str, broker_url: str) -> Iterator[Process]:
    environ = command_environment({"DATABASE_URL": database_url, "BROKER_URL": broker_url, "JWT_SECRET": SECRET})
    command, log = procfile()["worker"], folder / "worker.log"
    with Process("worker", command, log, env=environ, cwd=ROOT, ready=lambda: " ready" in log.read_text()) as process:
        yield process
        print(process.tail())  # shown when the test failed


def publish(broker_url: str, body: bytes, content_type: str, **headers: Any) -> None:
    with kombu.Connection(broker_url) as connection, connection.Producer() as producer:
        how = {"content_type": content_type, "content_encoding": "utf-8", "headers": headers}
        producer.publish(body, exchange="", routing_key=DELIVERIES_QUEUE, **how)


def task(broker_url: str, name: str, *arguments: Any) -> None:
    """A message in Celery's own form."""
    body = json.dumps([list(arguments), {}, {}]).encode()
    publish(broker_url, body, "application/json", lang="py", task=name, id=f"{name}-{len(body)}")


def notify(database: Database) -> Any:
    new = NewNotification(producer_id="shop", kind="k", title="after all that", recipients=("bob",))
    with database.transaction() as conn:
        return accept.accept(conn, [new], datetime.now(UTC))[0]


def titles(database: Database) -> list[str]:
    with database.snapshot() as conn:
        return [item["title"] for item in reading.page(conn, "bob", state="all", limit=10).items]


def test_pickle_and_whatever_is_no_task_is_dropped_and_the_next_task_done(
    broker_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    migrate({"DATABASE_URL": sqlite_url, "BROKER_URL": broker_url, "JWT_SECRET": SECRET})
    marker, database = tmp_path / "exploded", Database(sqlite_url)
    bomb = pickle.dumps([[Bomb(marker)], {}, {}])
    with worker(tmp_path, sqlite_url, broker_url) as process:
        for content_type in ("application/x-python-serialize", "application/json", "application/x-yaml", "text/plain"):
            publish(broker_url, bomb, content_type, lang="py", task=DELIVER, id="bomb")
        for body in (b"\xff\xfe", b"not json", b"", b"[]", b"7", b"null", b'{"a": 1}', b"[" * 100_000):
            publish(broker_url, body, "application/json")
            publish(broker_url, body, "application/json", lang="py", task=DELIVER, id="nothing")
        for headers in HOSTILE_HEADERS:
            publish(broker_url, b"[[[]], {}, {}]", "application/json", **{"task": DELIVER, "id": "h", **headers})
        publish(broker_url, SECRET_WORDS.encode(), "application/json", task=DELIVER, id="a body that is quoted")
        publish(
            broker_url, SECRET_WORDS.encode(), "application/json", task=SECRET_WORDS, id="a name", more=SECRET_WORDS
        )
        task(broker_url, "os.system", f"touch {marker}")
        task(broker_url, DELIVER, "not a list")
        task(broker_url, DELIVER, ["no uuid"], ["too", "many"])
        task(broker_url, DELIVER, [str(notify(database))])
        wait_for(lambda: titles(database) == ["after all that"], PATIENCE, "the task behind them to be done")
        assert process.running
        assert not marker.exists()
        assert "message_dropped" in process.output()
        assert SECRET_WORDS not in process.output()
        assert len(process.output()) < 50_000
        assert max(map(len, process.output().splitlines())) < 11_000
        ping = ["celery", "-A", "workers", "inspect", "ping", "--timeout", "20"]
        environ = command_environment({"DATABASE_URL": sqlite_url, "BROKER_URL": broker_url, "JWT_SECRET": SECRET})
        answer = subprocess.run(ping, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert "pong" in answer.stdout
    database.dispose()


@pytest.mark.parametrize("broker_url", ["redis"], indirect=True)
def test_what_is_no_envelope_on_a_list_of_redis_is_dropped_and_the_next_task_done(
    broker_url: str, sqlite_url: str, tmp_path: Path
) -> None:
    with going_on(broker_url, sqlite_url, tmp_path), redis.Redis.from_url(broker_url) as connection:
        for junk in NO_ENVELOPES:
            connection.lpush(DELIVERIES_QUEUE, junk)
        for channel in ("celery.pidbox", "celeryev/worker.heartbeat"):
            for junk in NO_ENVELOPES:
                connection.publish(f"/{broker_url.rpartition('/')[2]}.{channel}", junk)


@pytest.mark.parametrize("broker_url", ["rabbitmq"], indirect=True)
@pytest.mark.parametrize("exchange", ["celery.pidbox", "celeryev"])
def test_what_is_no_word_of_celerys_own_ends_no_worker(
    broker_url: str, sqlite_url: str, tmp_path: Path, exchange: str
) -> None:
    with (
        going_on(broker_url, sqlite_url, tmp_path),
        kombu.Connection(broker_url) as connection,
        connection.Producer() as producer,
    ):
        for content_type, encoding in (("application/json", "utf-8"), ("application/x-python-serialize", "binary")):
            for body in (b"\xff\xfe", SECRET_WORDS.encode(), b"", b"[]", b"7", b"null", b'{"a": 1}', b"[" * 100_000):
                for headers in ({}, {"hostname": 5}, {"hostname": SECRET_WORDS, "clock": "late"}):
                    how = {"content_type": content_type, "content_encoding": encoding, "headers": headers}
                    producer.publish(body, exchange=exchange, routing_key="worker.heartbeat", **how)


@contextmanager
def going_on(broker_url: str, database_url: str, folder: Path) -> Iterator[None]:
    """A worker, to which the block does something: it is not ended, and does the next task."""
    migrate({"DATABASE_URL": database_url, "BROKER_URL": broker_url, "JWT_SECRET": SECRET})
    database = Database(database_url)
    with worker(folder, database_url, broker_url) as process:
        yield
        for _ in range(2):
            task(broker_url, DELIVER, [str(notify(database))])
        wait_for(lambda: titles(database) == ["after all that"] * 2, PATIENCE, "the tasks behind to be done")
        assert process.running
        assert SECRET_WORDS not in process.output()
    database.dispose()

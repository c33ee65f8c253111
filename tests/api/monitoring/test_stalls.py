"""The API reports overdue notifications, even without workers and beat."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from api.monitoring.stalls import StallMonitor
from api.pipeline.enqueue import Enqueuer
from dev.processes import Process
from models.schema.notifications import notifications
from tests.api.running import Api, Caller, answered, running_api
from tests.support import wait_for

pytestmark = pytest.mark.slow

LONG_AGO = timedelta(minutes=5)
PATIENCE = 30.0
LINE = re.compile(r"ERROR api\.monitoring\.stalls undelivered_stalled .* oldest_seconds=3\d\d broker=answers .* keep")


@pytest.fixture
def api(redis_url: str, tmp_path: Path) -> Iterator[Api]:
    """An API with a broker and without workers."""
    with running_api(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path, broker_url=redis_url) as running:
        yield running


def age(api: Api) -> None:
    """Make everything five minutes older."""
    then = datetime.now(UTC) - LONG_AGO
    with api.database.transaction() as conn:
        conn.execute(update(notifications).values(created_at=then, enqueue_at=then + timedelta(seconds=5)))


def count_logged(process: Process) -> int:
    return len(LINE.findall(process.output()))


def test_what_does_not_move_is_an_error_and_a_detail_of_readiness_until_it_is_delivered(api: Api) -> None:
    alice, bob = api.named("alice"), Caller("bob", api.http, {})
    answer = alice.post("/v1/messages", {"to": bob.id, "text": "hello"})
    assert answered(api.http.get("/readyz"), 200) == {"status": "ready"}
    age(api)
    wait_for(lambda: count_logged(api.process), PATIENCE, "the API to say that nothing moves")
    ready = answered(api.http.get("/readyz"), 200)
    assert ready["status"] == "ready"
    assert ready["stalled"]["count"] == 1
    assert 300 <= ready["stalled"]["oldest_seconds"] < 400
    api.deliver(answer)
    wait_for(lambda: api.http.get("/readyz").json() == {"status": "ready"}, PATIENCE, "the detail to go")
    assert count_logged(api.process) == 1


def test_it_is_said_at_the_second_look_and_once_a_minute(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.named("alice").post("/v1/messages", {"to": "bob", "text": "hello"})
    age(api)
    monitor, now = StallMonitor(api.database, lambda: None), datetime.now(UTC)
    for seconds, lines in ((0, 0), (5, 1), (10, 1), (60, 1), (65, 2), (120, 2), (125, 3)):
        monitor.check(now + timedelta(seconds=seconds))
        assert len(caplog.records) == lines


def test_the_line_says_that_the_broker_does_not_answer(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    api.named("alice").post("/v1/messages", {"to": "bob", "text": "hello"})
    age(api)
    monitor = StallMonitor(api.database, Enqueuer("redis://127.0.0.1:1/0").check)
    for _ in range(2):
        monitor.check(datetime.now(UTC))
    assert "broker=OperationalError" in caplog.text

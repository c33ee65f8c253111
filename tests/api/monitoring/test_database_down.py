"""Without its database the API responds with 503 at once, and serves again as soon as it is back."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url

from dev.postgresql import PostgreSQL
from dev.services import temporary_folder
from tests.api.running import Api, Caller, answered, problem, running_api
from tests.support import wait_for
from tests.support.fresh import fresh_database

pytestmark = pytest.mark.slow

ANSWER_WITHIN = 5.0  # seconds: three are promised, on a machine that does nothing else


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with temporary_folder() as folder, PostgreSQL(folder / "postgresql") as running:
        yield running


@pytest.fixture(scope="module")
def module_api(postgresql: PostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(postgresql.url, tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture
def api(module_api: Api, postgresql: PostgreSQL) -> Iterator[Api]:
    """The API with a database that runs now and afterwards."""
    wait_for(lambda: module_api.named("alice").get("/v1/inbox").is_success, 10, "the database to be found again")
    yield module_api
    postgresql.resume()
    if not postgresql.running:
        postgresql.start()


def calls(caller: Caller) -> list[Callable[[], httpx.Response]]:
    return [
        lambda: caller.post("/v1/messages", {"to": "bob", "text": "hello"}),
        lambda: caller.get("/v1/inbox"),
        lambda: caller.delete("/v1/follows/bob"),
    ]


def in_time(call: Callable[[], httpx.Response]) -> httpx.Response:
    started = time.monotonic()
    answer = call()
    assert time.monotonic() - started < ANSWER_WITHIN
    return answer


@pytest.mark.parametrize("fail", ["pause", "kill"])
def test_every_call_says_unavailable_in_time_and_works_again_after(api: Api, postgresql: PostgreSQL, fail: str) -> None:
    alice = api.named("alice")
    for call in calls(alice):
        assert call().is_success
    getattr(postgresql, fail)()
    for call in calls(alice):
        answer = in_time(call)
        problem(answer, 503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
    postgresql.resume() if fail == "pause" else postgresql.start()
    wait_for(lambda: alice.get("/v1/inbox").is_success, 10, "the database to be found again")
    for call in calls(alice):
        assert call().is_success


@pytest.mark.parametrize("fail", ["pause", "kill"])
def test_many_callers_at_once_are_all_told_in_time(api: Api, postgresql: PostgreSQL, fail: str) -> None:
    alice = api.named("alice")
    assert alice.get("/v1/inbox").is_success
    getattr(postgresql, fail)()
    with ThreadPoolExecutor(60) as many:
        answers = list(many.map(lambda n: in_time(calls(alice)[n % 3]), range(60)))
    assert {answer.status_code for answer in answers} == {503}


def test_readiness_names_the_database_and_why(api: Api, postgresql: PostgreSQL) -> None:
    postgresql.pause()
    answer = in_time(lambda: api.http.get("/readyz"))
    errors = {error["field"]: error["message"] for error in problem(answer, 503, "not_ready")["errors"]}
    assert errors["database"] == "the database did not answer within 1 second"
    postgresql.resume()
    postgresql.kill()
    answer = in_time(lambda: api.http.get("/readyz"))
    errors = {error["field"]: error["message"] for error in problem(answer, 503, "not_ready")["errors"]}
    assert errors["database"].startswith("the database cannot be reached")
    assert answered(api.http.get("/healthz"), 200) == {"status": "ok"}


def test_metrics_come_without_what_only_the_database_knows(api: Api, postgresql: PostgreSQL) -> None:
    assert "belfry_undelivered_notifications " in api.http.get("/metrics").text
    postgresql.kill()
    answer = in_time(lambda: api.http.get("/metrics"))
    assert answer.status_code == 200
    assert "belfry_undelivered_notifications" not in answer.text
    assert "belfry_http_requests_total" in answer.text


def test_an_unforeseen_error_says_nothing_to_the_caller_and_where_it_was_to_the_log(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    with fresh_database(postgresql.url) as url, running_api(url, tmp_path, migrated=False) as api:
        answer = api.named("alice").post("/v1/messages", {"to": "bob", "text": "my secret"})
        body = problem(answer, 500, "internal_error")
        assert "notifications" not in body["detail"]
        log = api.process.output()
        assert "request_failed method=POST route=/v1/messages error=ProgrammingError" in log
        assert "revocations.py" in log
        assert "my secret" not in log
        answered(api.http.get("/healthz"), 200)


def test_a_writer_that_holds_sqlites_one_lock_stops_nobody_but_writers(sqlite_url: str, tmp_path: Path) -> None:
    with running_api(sqlite_url, tmp_path) as api, sqlite3.connect(make_url(sqlite_url).database or "") as holder:
        alice = api.named("alice")
        assert alice.get("/v1/inbox").is_success
        holder.isolation_level = None
        holder.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(9) as many:
            posts = [many.submit(in_time, calls(alice)[0]) for _ in range(8)]
            while not all(post.done() for post in posts):
                assert in_time(lambda: alice.get("/healthz")).is_success
                assert in_time(lambda: alice.get("/v1/inbox")).is_success
        for post in posts:
            problem(post.result(), 503, "database_unavailable")
        holder.execute("ROLLBACK")
        assert calls(alice)[0]().status_code == 202

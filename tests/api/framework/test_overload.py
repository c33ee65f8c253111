"""Overload: a limited number of requests wait, others are refused at once, and every place becomes free again."""

import http.client
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

from tests.api.running import Api, answered, problem, running_api
from tests.conftest import demand_service
from tests.support import wait_for
from tests.support.fresh import fresh_database

PLACES = 8
# The server as it is, but that it waits for less long.
IMPATIENT = """
from gevent import monkey; monkey.patch_all()
import sys
from api import server, worker
server.LOCK_SECONDS, worker.REQUEST_SECONDS = 1.0, 5.0
sys.exit(server.main())
"""


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url:
        yield url


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder, places = tmp_path_factory.mktemp("overload"), str(PLACES)
    with running_api(database_url, folder, arguments=("-c", IMPATIENT), WAITING_MAX=places) as running:
        yield running


@contextmanager
def locked(database_url: str, statement: sql.SQL) -> Iterator[None]:
    """Holds a lock that the requests need."""
    with psycopg.connect(database_url) as holder:
        holder.execute(statement)
        yield
        holder.rollback()


def kinds(answers: list[httpx.Response]) -> set[tuple[int, str]]:
    return {(answer.status_code, "" if answer.is_success else answer.json()["code"]) for answer in answers}


def test_so_many_wait_for_a_locked_database_the_others_are_told_at_once_and_health_stays_cheap(
    api: Api, database_url: str
) -> None:
    alice = api.named("alice")
    answered(alice.get("/v1/inbox/summary"), 200)
    answers: list[httpx.Response] = []
    refused, done = Event(), Event()

    def insist() -> None:
        while not done.is_set():
            answers.append(alice.get("/v1/inbox/summary"))
            if answers[-1].status_code == 503 and answers[-1].json()["code"] == "overloaded":
                refused.set()

    with locked(database_url, sql.SQL("LOCK TABLE inboxes")), ThreadPoolExecutor(3 * PLACES) as many:
        crowd = [many.submit(insist) for _ in range(3 * PLACES)]
        try:
            assert refused.wait(60)
            for _ in range(5):
                assert answered(api.http.get("/healthz"), 200) == {"status": "ok"}
        finally:
            done.set()
        for each in crowd:
            each.result()
    refusal = next(answer for answer in answers if answer.json()["code"] == "overloaded")
    problem(refusal, 503, "overloaded")
    assert int(refusal.headers["Retry-After"]) > 0
    # Those who had a place were not kept for ever, though the lock was: it went only after them.
    assert kinds(answers) == {(503, "overloaded"), (503, "database_unavailable")}
    wait_for(lambda: alice.get("/v1/inbox/summary").is_success, 20, "the API to serve again")
    assert 'status="503"' in api.http.get("/metrics").text


def test_a_locked_inbox_costs_nobody_but_its_owner(api: Api, database_url: str) -> None:
    alice, bob = api.named("alice"), api.named("bob")
    for caller in (alice, bob):
        api.deliver(api.named("carol").post("/v1/messages", {"to": caller.id, "text": "hello"}))
    row = sql.SQL("SELECT * FROM inboxes WHERE recipient_id = 'alice' FOR UPDATE")
    with locked(database_url, row), ThreadPoolExecutor(PLACES) as many:
        waiting = [many.submit(alice.post, "/v1/inbox/read", {"through": 1}) for _ in range(PLACES - 2)]
        seen = 0
        while not all(each.done() for each in waiting):
            answered(bob.patch("/v1/inbox/1", {"read": bool(seen % 2)}), 200)
            answered(alice.get("/v1/inbox"), 200)
            seen += 1
        assert seen
        for each in waiting:
            problem(each.result(), 503, "database_unavailable")
    assert answered(alice.post("/v1/inbox/read", {"through": 1}), 200)["unread"] == 0


def test_a_caller_who_sends_for_too_long_is_cut_off_and_held_no_place(api: Api) -> None:
    slow = [half_a_request(api) for _ in range(2 * PLACES)]
    answered(api.named("alice").get("/v1/inbox/summary"), 200)
    for connection in slow:
        with pytest.raises(http.client.RemoteDisconnected):
            connection.getresponse()
        connection.close()
    assert re.search(r"request_given_up after_seconds=\d+", api.process.output())


def half_a_request(api: Api) -> http.client.HTTPConnection:
    """A POST with an incomplete body."""
    connection = http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=60)
    connection.putrequest("POST", "/v1/messages")
    for name, value in {**api.named("slow").headers, "Content-Length": "30"}.items():
        connection.putheader(name, value)
    connection.endheaders(b'{"to": "bob", ')
    return connection


def test_a_burst_that_fits_is_served(api: Api) -> None:
    alice = api.named("alice")
    with ThreadPoolExecutor(PLACES) as many:
        answers = list(many.map(lambda _: alice.get("/v1/inbox/summary"), range(4 * PLACES)))
    assert kinds(answers) == {(200, "")}

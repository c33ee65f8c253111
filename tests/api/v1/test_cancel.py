"""After the response to a cancel nothing more arrives: it waits for transactions that are writing."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from lib.rendering.delivered_items import DeliveredItems
from models.db.database import Connection, Database
from models.delivery import deliver as delivery
from models.delivery import fanout
from models.delivery import withdraw as withdrawal
from models.inbox.versions import lock_inboxes
from tests.api.running import Api, Caller, answered
from tests.models.locks import wait_until_blocked

pytestmark = pytest.mark.parametrize("api", ["postgresql"], indirect=True)  # on SQLite nobody writes beside another

A_MOMENT = 0.4  # in which an answer would be there if nothing were waited for

Write = Callable[[Connection, UUID], DeliveredItems]


def write_a_chunk(conn: Connection, id_: UUID) -> DeliveredItems:
    return fanout.fan_out(conn, id_, 1, datetime.now(UTC)).items


def deliver(conn: Connection, id_: UUID) -> DeliveredItems:
    return delivery.deliver(conn, [id_], datetime.now(UTC)).items


WAYS: dict[str, Write] = {"topic": write_a_chunk, "recipients": deliver}


@pytest.fixture
def database(api: Api) -> Database:
    return api.database


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def people(shop: Caller) -> list[str]:
    return [f"{shop.id}'s {name}" for name in ("alice", "bob", "carol")]


def publish(shop: Caller, target: str) -> UUID:
    answered(shop.put(f"/v1/topics/{shop.id}/subscribers", {"add": people(shop)}), 200)
    to: dict[str, Any] = {"topic": shop.id} if target == "topic" else {"recipients": people(shop)}
    return UUID(answered(shop.post("/v1/notifications", {"kind": "k", "title": "t", **to}), 202)["id"])


@contextmanager
def written(database: Database, write: Write, id_: UUID) -> Iterator[None]:
    """The items are written, and the transaction is not committed yet."""
    with database.transaction() as conn:
        assert write(conn, id_)
        yield


@contextmanager
def in_the_middle(database: Database, pool: ThreadPoolExecutor, shop: Caller, id_: UUID) -> Iterator[None]:
    """A chunk waits for an inbox that it is to write to."""
    with database.transaction() as holder:
        lock_inboxes(holder, people(shop))
        chunk = pool.submit(write, database, write_a_chunk, id_)
        wait_until_blocked(database)
        yield
    assert len(chunk.result()) == 1


def write(database: Database, way: Write, id_: UUID) -> DeliveredItems:
    with database.transaction() as conn:
        return way(conn, id_)


def expect_to_wait(answer: "Future[httpx.Response]") -> None:
    try:
        early = answer.result(A_MOMENT)
    except StillWaiting:
        return
    raise AssertionError(f"answered {early.status_code} {early.text}")


@pytest.mark.parametrize("target", WAYS)
def test_a_cancel_waits_for_what_is_written_and_not_committed(
    database: Database, pool: ThreadPoolExecutor, shop: Caller, target: str
) -> None:
    id_ = publish(shop, target)
    with written(database, WAYS[target], id_):
        answer = pool.submit(shop.delete, f"/v1/notifications/{id_}")
        expect_to_wait(answer)
    assert answer.result().status_code == 204
    assert write(database, WAYS[target], id_) == DeliveredItems()


def test_a_cancel_waits_for_a_chunk_and_none_begins_after_it(
    database: Database, pool: ThreadPoolExecutor, shop: Caller
) -> None:
    id_ = publish(shop, "topic")
    with in_the_middle(database, pool, shop, id_):
        answer = pool.submit(shop.delete, f"/v1/notifications/{id_}")
        expect_to_wait(answer)
        assert write(database, write_a_chunk, id_) == DeliveredItems()
    assert answer.result().status_code == 204
    assert answered(shop.get(f"/v1/notifications/{id_}"), 200)["delivered"] == 1


def test_where_that_takes_too_long_it_is_said_and_the_request_can_be_repeated(
    database: Database, pool: ThreadPoolExecutor, shop: Caller
) -> None:
    id_ = publish(shop, "topic")
    with in_the_middle(database, pool, shop, id_):
        answer = shop.delete(f"/v1/notifications/{id_}")
        assert answered(answer, 503)["code"] == "delivery_under_way"
        assert int(answer.headers["Retry-After"]) > 0
        assert answered(shop.get(f"/v1/notifications/{id_}"), 200)["status"] == "cancelled"
    assert shop.delete(f"/v1/notifications/{id_}").status_code == 204


def test_a_repeated_cancel_does_not_wait_for_the_withdrawal(database: Database, shop: Caller) -> None:
    id_ = publish(shop, "topic")
    write(database, write_a_chunk, id_)
    assert shop.delete(f"/v1/notifications/{id_}").status_code == 204
    with database.transaction() as conn:
        assert withdrawal.withdraw(conn, id_, 10, datetime.now(UTC)).changes
        assert shop.delete(f"/v1/notifications/{id_}").status_code == 204

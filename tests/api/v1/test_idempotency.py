"""A retry never notifies twice: a key of a producer is one notification, also with concurrent requests."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.api.running import Api, Caller, answered, problem, running_api

AT_ONCE = 50
ORDER = {"kind": "order.shipped", "title": "Order 41 is on its way"}
PUBLISH, BATCH = "/v1/notifications", "/v1/notifications/batch"

Post = Callable[[int], tuple[str, Any, str]]  # what the nth of many sends: where, the body, the key


@pytest.fixture
def other_process(api: Api, tmp_path: Path) -> Iterator[Api]:
    """A second API process over the same database."""
    url = api.database.url
    with running_api(url, tmp_path, migrated=False) as running:
        yield running


def at_once(caller: Caller, apis: Sequence[Api], post: Post) -> list[httpx.Response]:
    """Many posts, each on a connection of its own, sent when all are connected."""
    start = Barrier(AT_ONCE)

    def send(n: int) -> httpx.Response:
        path, body, key = post(n)
        with httpx.Client(base_url=apis[n % len(apis)].url, headers=caller.headers, timeout=30, verify=False) as http:
            http.get("/healthz")
            start.wait()
            return http.post(path, json=body, headers={"Idempotency-Key": key})

    with ThreadPoolExecutor(AT_ONCE) as many:
        return list(many.map(send, range(AT_ONCE)))


def test_many_posts_at_once_with_one_key_are_one_notification_and_equal_answers(
    api: Api, other_process: Api, shop: Caller, bob: Caller
) -> None:
    body = ORDER | {"recipients": [bob.id]}
    answers = at_once(shop, [api, other_process], lambda _: (PUBLISH, body, "at-once"))
    assert Counter(answer.status_code for answer in answers) == {202: AT_ONCE}
    assert len({(answer.text, answer.headers["Location"]) for answer in answers}) == 1
    api.deliver(*answers[:2])
    assert len(bob.inbox()["items"]) == 1
    assert len(answered(shop.get(PUBLISH), 200)["notifications"]) == 1


def test_of_two_bodies_at_once_with_one_key_one_is_accepted_and_the_other_always_refused(
    api: Api, other_process: Api, shop: Caller
) -> None:
    bodies: list[dict[str, Any]] = [ORDER | {"recipients": ["bob"], "body": text} for text in ("heads", "tails")]
    answers = at_once(shop, [api, other_process], lambda n: (PUBLISH, bodies[n // 2 % 2], "tossed"))
    [winner] = answered(shop.get(PUBLISH), 200)["notifications"]
    for n, answer in enumerate(answers):
        if bodies[n // 2 % 2]["body"] == winner["body"]:
            assert answered(answer, 202)["id"] == winner["id"]
        else:
            problem(answer, 422, "idempotency_key_reused")


def test_batches_at_once_with_one_key_are_one_batch(api: Api, other_process: Api, shop: Caller) -> None:
    body = {"notifications": [ORDER | {"title": str(n), "recipients": ["bob"]} for n in range(10)]}
    answers = at_once(shop, [api, other_process], lambda _: (BATCH, body, "at-once"))
    assert Counter(answer.status_code for answer in answers) == {202: AT_ONCE}
    assert len({answer.text for answer in answers}) == 1
    assert len(answered(shop.get(PUBLISH), 200)["notifications"]) == len(body["notifications"])


def test_posts_at_once_with_keys_of_their_own_are_all_accepted(api: Api, other_process: Api, shop: Caller) -> None:
    body = ORDER | {"recipients": ["bob"]}
    answers = at_once(shop, [api, other_process], lambda n: (PUBLISH, body, f"key-{n}"))
    assert len({answered(answer, 202)["id"] for answer in answers}) == AT_ONCE


def test_the_same_key_and_body_later_is_the_same_answer(api: Api, shop: Caller, bob: Caller) -> None:
    body = ORDER | {"recipients": [bob.id]}
    answers = [shop.post(PUBLISH, body, key="order-41") for _ in range(2)]
    api.deliver(*answers)
    answers.append(shop.post(PUBLISH, body, key="order-41"))
    assert len({answer.text for answer in answers}) == 1
    api.deliver(*answers)
    assert len(bob.inbox()["items"]) == 1


@pytest.mark.parametrize(
    "change", [{"title": "Order 42"}, {"recipients": ["bob", "carol"]}, {"severity": "low"}, {"data": {"a": 1}}]
)
def test_another_body_with_the_same_key_is_refused(api: Api, shop: Caller, change: dict[str, Any]) -> None:
    body = ORDER | {"recipients": ["bob"]}
    answered(shop.post(PUBLISH, body, key="order-41"), 202)
    before = api.stored()
    problem(shop.post(PUBLISH, body | change, key="order-41"), 422, "idempotency_key_reused")
    assert api.stored() == before


def test_a_body_whose_fields_come_in_another_order_is_the_same_body(shop: Caller) -> None:
    body = ORDER | {"recipients": ["bob"], "data": {"order": 41, "parcels": {"by post": 2, "by hand": 0}}}
    data = {"parcels": {"by hand": 0, "by post": 2}, "order": 41}
    again = dict(reversed((body | {"data": data}).items()))
    answers = [shop.post(PUBLISH, one, key="order-41") for one in (body, again)]
    assert len({answered(answer, 202)["id"] for answer in answers}) == 1


def test_equal_keys_of_two_producers_do_not_meet(api: Api, shop: Caller, bob: Caller) -> None:
    rival = api.caller("rival", "notify")
    first = shop.post(PUBLISH, ORDER | {"recipients": [bob.id]}, key="order-41")
    second = rival.post(PUBLISH, ORDER | {"recipients": [bob.id], "title": "Another"}, key="order-41")
    api.deliver(first, second)
    assert [item["title"] for item in bob.inbox()["items"]] == ["Another", ORDER["title"]]


@pytest.mark.parametrize("key", ["", "with space", "x" * 256, "smörgås".encode()])
def test_what_is_no_key_is_refused(api: Api, shop: Caller, key: str | bytes) -> None:
    headers: Any = {**shop.headers, "Idempotency-Key": key}
    answer = api.http.post(PUBLISH, json=ORDER | {"recipients": ["bob"]}, headers=headers)
    [error] = problem(answer, 422, "invalid_request")["errors"]
    assert error["field"] == "Idempotency-Key"

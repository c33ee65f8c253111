"""Rate limits of users and producers: all processes count together, or each alone while Redis is away."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from dev.redis import Redis
from dev.services import temporary_folder
from tests.api.running import Api, Caller, answered, problem, running_api
from tests.support import wait_for

pytestmark = pytest.mark.slow

USER_MAX, PRODUCER_MAX = 6, 4
PATIENCE = 60.0  # a Redis that failed is left alone for seconds


def limited(url: str, folder: Path, redis_url: str = "") -> AbstractContextManager[Api]:
    return running_api(
        url,
        folder,
        RATE_LIMIT_USER=str(USER_MAX),
        RATE_LIMIT_PRODUCER=str(PRODUCER_MAX),
        RATE_LIMIT_REDIS_URL=redis_url,
    )


@dataclass(frozen=True)
class Together:
    """Two processes of the API that count in one Redis."""

    first: Api
    second: Api
    redis: Redis

    def count_logged(self, line: str) -> int:
        return self.first.process.output().count(line)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Together]:
    folder = tmp_path_factory.mktemp("rates")
    url = f"sqlite:///{folder}/belfry.sqlite"
    with temporary_folder() as private, Redis(private / "redis") as redis, ExitStack() as stack:
        first = stack.enter_context(limited(url, folder, redis.url))
        second = stack.enter_context(limited(url, folder, redis.url))
        yield Together(first, second, redis)


@pytest.fixture
def together(both: Together) -> Iterator[Together]:
    """Both processes, with Redis running and in use."""
    yield both
    both.redis.resume()
    if not both.redis.running:
        both.redis.start()
    stranger = both.first.named("a stranger", "inbox")
    back = both.count_logged("rate_limits_counted_alone")
    wait_for(
        lambda: stranger.get("/v1/inbox/summary") and both.count_logged("rate_limits_counted_together") >= back,
        PATIENCE,
    )


def ask(*callers: Caller, times: int) -> list[httpx.Response]:
    """Send this many requests, alternating between the processes."""
    return [callers[n % len(callers)].get("/v1/inbox/summary") for n in range(times)]


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_a_user_may_come_so_often_over_all_processes_and_is_told_when_to_come_back(together: Together) -> None:
    answers = ask(together.first.named("alice"), together.second.named("alice"), times=USER_MAX + 2)
    assert statuses(answers) == [200] * USER_MAX + [429] * 2
    for answer in answers[-2:]:
        body = problem(answer, 429, "rate_limited")
        assert "alice" not in body["detail"]
        seconds = int(answer.headers["Retry-After"])
        assert 1 <= seconds <= 60
        assert answer.headers["RateLimit-Policy"] == f'"user";q={USER_MAX};w=60'
        assert re.fullmatch(r'"user";r=0;t=\d+', answer.headers["RateLimit"])


def test_who_comes_too_often_takes_nothing_from_others_nor_from_itself_as_producer(together: Together) -> None:
    api = together.first
    assert 429 in statuses(ask(api.named("mallory"), times=USER_MAX + 1))
    for other in ("mallory/", "mallor", "user/mallory", "mallory/6/1/minute"):
        answered(api.named(other).get("/v1/inbox/summary"), 200)
    shop = api.named("mallory", "notify")
    before = api.stored()["notifications"]
    posted = [shop.post("/v1/notifications", {"recipients": ["bob"], "kind": "k", "title": "t"}) for _ in range(6)]
    assert statuses(posted) == [202] * PRODUCER_MAX + [429] * (6 - PRODUCER_MAX)
    assert api.stored()["notifications"] == before + PRODUCER_MAX
    for path in ("/healthz", "/docs", "/config.json"):
        assert {answer.status_code for answer in [api.http.get(path) for _ in range(USER_MAX + 2)]} == {200}


@pytest.mark.parametrize("fail", ["pause", "kill"])
def test_without_its_redis_each_process_counts_for_itself_and_says_so_once(together: Together, fail: str) -> None:
    before = together.count_logged("rate_limits_counted_alone")
    getattr(together.redis, fail)()
    for api in (together.first, together.second):
        assert statuses(ask(api.named(f"bob, {fail}"), times=USER_MAX + 2)) == [200] * USER_MAX + [429] * 2
    assert together.count_logged("rate_limits_counted_alone") == before + 1


def test_without_a_redis_one_process_counts_for_itself(tmp_path: Path) -> None:
    with limited(f"sqlite:///{tmp_path}/belfry.sqlite", tmp_path) as api:
        assert statuses(ask(api.named("alice"), times=USER_MAX + 1)) == [200] * USER_MAX + [429]
        answered(api.named("bob").get("/v1/inbox/summary"), 200)

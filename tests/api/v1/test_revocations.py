"""A user's revoked tokens are refused by every API process within five seconds."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import jwt
import pytest

from push.broker.wire import decode_revocation
from tests.api.running import SECRET, Api, Caller, answered, fields, problem, running_api
from tests.push.broker.exchange import listening
from tests.support import wait_for

pytestmark = pytest.mark.slow

PATIENCE = 20.0


def with_token(api: Api, sub: str, **claims: object) -> Caller:
    """A caller whose token has these claims, without those that are None; an hour old by default."""
    payload = {"sub": sub, "scope": "inbox", "exp": int(time.time()) + 600, "iat": int(time.time()) - 3600, **claims}
    token = jwt.encode({name: value for name, value in payload.items() if value is not None}, SECRET, algorithm="HS256")
    return Caller(sub, api.http, {"Authorization": f"Bearer {token}"})


def expect_refused(caller: Caller) -> None:
    refused = wait_for(
        lambda: answer if (answer := caller.get("/v1/inbox/summary")).status_code == 401 else None, PATIENCE
    )
    assert refused is not None
    problem(refused, 401, "unauthorized")
    assert refused.text == caller.http.get("/v1/inbox/summary").text  # as for no token at all


@pytest.fixture
def two(postgres_url: str, redis_url: str, tmp_path: Path) -> Iterator[tuple[Api, Api]]:
    """Two processes of the API over one database."""
    with ExitStack() as stack:
        first = stack.enter_context(running_api(postgres_url, tmp_path, broker_url=redis_url))
        yield first, stack.enter_context(running_api(postgres_url, tmp_path, broker_url=redis_url, migrated=False))


def test_what_was_issued_before_is_refused_in_every_process_and_what_is_issued_after_is_not(
    two: tuple[Api, Api],
) -> None:
    old = [with_token(each, "mallory") for each in two]
    unsaid = [with_token(each, "mallory", iat=None) for each in two]
    others = [with_token(each, "bob") for each in two]
    for caller in (*old, *unsaid, *others):
        answered(caller.get("/v1/inbox/summary"), 200)
    body = answered(two[0].named("shop", "notify").post("/v1/tokens/revoke", {"user": "mallory"}), 200)
    assert (body["user"], body["revoked_before"][-1]) == ("mallory", "Z")
    for caller in (*old, *unsaid):
        expect_refused(caller)
    for each, other in zip(two, others, strict=True):
        answered(other.get("/v1/inbox/summary"), 200)
        answered(with_token(each, "mallory", iat=int(time.time()) + 2).get("/v1/inbox/summary"), 200)
    expect_refused(with_token(two[1], "mallory", scope="notify inbox"))


def test_a_process_that_starts_later_knows_it_as_well(sqlite_url: str, tmp_path: Path) -> None:
    with running_api(sqlite_url, tmp_path) as api:
        answered(api.named("shop", "notify").post("/v1/tokens/revoke", {"user": "mallory"}), 200)
    with running_api(sqlite_url, tmp_path) as api:
        problem(with_token(api, "mallory").get("/v1/inbox/summary"), 401, "unauthorized")


def test_a_revocation_is_told_on_the_exchange_as_it_is_stored(sqlite_url: str, redis_url: str, tmp_path: Path) -> None:
    with running_api(sqlite_url, tmp_path, broker_url=redis_url) as api, listening(redis_url) as ear:
        body = answered(api.named("shop", "notify").post("/v1/tokens/revoke", {"user": "__proto__"}), 200)
        sent = decode_revocation(ear.next_message().decode())
    assert sent.user_id == "__proto__"
    assert sent.revoked_before.isoformat(timespec="microseconds").replace("+00:00", "Z") == body["revoked_before"]


def test_without_a_broker_it_holds_in_the_api_all_the_same(api: Api, shop: Caller) -> None:
    mallory = with_token(api, f"mallory of {shop.id}")
    answered(mallory.get("/v1/inbox/summary"), 200)
    answered(shop.post("/v1/tokens/revoke", {"user": mallory.id}), 200)
    expect_refused(mallory)
    assert "revocation_not_announced" in api.process.output()


def test_only_a_producer_may_revoke(api: Api, alice: Caller, bob: Caller) -> None:
    problem(alice.post("/v1/tokens/revoke", {"user": bob.id}), 403, "forbidden")
    problem(api.http.post("/v1/tokens/revoke", json={"user": bob.id}), 401, "unauthorized")
    answered(bob.get("/v1/inbox/summary"), 200)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, ("user", "missing")),
        ({"user": ""}, ("user", "too_short")),
        ({"user": "x" * 256}, ("user", "too_long")),
        ({"user": ["bob"]}, ("user", "wrong_type")),
        ({"user": "mallory", "revoked_before": "2030-01-31T09:00:00Z"}, ("revoked_before", "unknown_field")),
    ],
)
def test_what_is_no_user_revokes_nothing(api: Api, shop: Caller, body: object, error: tuple[str, str]) -> None:
    before = api.stored()
    assert fields(problem(shop.post("/v1/tokens/revoke", body), 422, "invalid_request")) == [error]
    assert api.stored() == before

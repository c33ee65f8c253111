"""Arbitrary requests never cause a 500, and accepted content arrives as it was sent."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.framework.test_bad_input import GOOD, NOTIFICATIONS, send
from tests.api.running import Api, Caller, answered

pytestmark = pytest.mark.slow

AS_MANY_AS_TIME_ALLOWS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
texts = st.text(st.characters(codec=None), max_size=30)  # with lone surrogates and all
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from(["bob", "2030-01-01T00:00:00Z", "/"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
names = sorted(
    {name for body in GOOD.values() for name in body} | {"topic", "data", "url", "body", "severity", "everyone"}
)
changes = st.dictionaries(st.sampled_from(names) | texts, values, max_size=3)


@AS_MANY_AS_TIME_ALLOWS
@given(path=st.sampled_from(sorted(GOOD)), change=changes)
def test_no_body_makes_the_api_fail(api: Api, path: str, change: dict[str, Any]) -> None:
    anyone = api.named("anyone", "inbox", "notify")
    answer = send(anyone, path, json.dumps(GOOD[path] | change).encode())
    assert answer.status_code in (200, 202, 400, 404, 422), answer.text


@AS_MANY_AS_TIME_ALLOWS
@given(raw=st.binary(max_size=200))
def test_no_bytes_make_the_api_fail(api: Api, raw: bytes) -> None:
    assert send(api.named("anyone"), "/v1/messages", raw).status_code in (400, 422)


@AS_MANY_AS_TIME_ALLOWS
@given(data=st.dictionaries(st.text(), values, max_size=4), title=st.text(min_size=1))
def test_what_is_accepted_arrives_as_it_was_sent(api: Api, data: dict[str, Any], title: str) -> None:
    shop, reader = api.named("shop", "notify"), api.caller("reader")
    body = {"recipients": [reader.id], "kind": "k", "title": title, "data": data}
    answer = send(shop, NOTIFICATIONS, json.dumps(body).encode())
    if answer.status_code != 202:
        assert answer.status_code in (400, 422), answer.text
        return
    api.deliver(answer)
    item = answered(reader.get("/v1/inbox/1"), 200)
    assert (item["title"], item["data"]) == (title, data)


def test_a_query_of_anything_makes_nothing_fail(api: Api, alice: Caller) -> None:
    @AS_MANY_AS_TIME_ALLOWS
    @given(query=st.dictionaries(st.sampled_from(["state", "kind", "limit", "cursor", "actor"]), st.text(), max_size=3))
    def ask(query: dict[str, str]) -> None:
        assert alice.get("/v1/inbox", **query).status_code in (200, 400, 422)

    ask()

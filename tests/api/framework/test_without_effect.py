"""No part of a request is ignored: a field has its effect in every combination, or is refused by name."""

from typing import Any

import pytest

from api.app import ENDPOINTS
from api.framework.endpoint import Endpoint
from api.schemas import requests
from api.schemas.requests import Schema
from tests.api.running import Api, Caller, answered, fields, problem

# Every schema of a body or a query, with the combinations of its fields that are refused: the fields present, and
# the one that the refusal names. All other fields have their effect whatever stands beside them. A new field, or a new
# schema, has to be put here.
LATER, SOONER = "2031-01-01T00:00:00Z", "2030-01-01T00:00:00Z"
TO_BOB = {"recipients": ["bob"], "kind": "k", "title": "t"}
DECIDED: dict[type[Schema], tuple[set[str], list[tuple[dict[str, Any], str]]]] = {
    requests.NoFields: (set(), []),
    requests.Follow: ({"target"}, []),
    requests.Message: ({"to", "text"}, []),
    requests.Revoke: ({"user"}, []),
    requests.Batch: ({"notifications"}, []),
    requests.Notification: (
        {
            "recipients",
            "topic",
            "everyone",
            "kind",
            "title",
            "body",
            "url",
            "data",
            "actor",
            "severity",
            "expires_at",
            "deliver_at",
        },
        [
            (TO_BOB | {"topic": "t"}, "topic"),
            (TO_BOB | {"everyone": True}, "everyone"),
            (TO_BOB | {"recipients": None, "topic": "t", "everyone": True}, "everyone"),
            (TO_BOB | {"deliver_at": LATER, "expires_at": SOONER}, "expires_at"),
            (TO_BOB | {"deliver_at": LATER, "expires_at": LATER}, "expires_at"),
        ],
    ),
    requests.Subscribers: (
        {"add", "remove"},  # beside each other, as long as nobody is in both
        [({"add": ["bob"], "remove": ["bob"]}, "remove.0"), ({"add": [], "remove": []}, "add")],
    ),
    requests.ItemPatch: (
        {"read", "seen", "archived"},  # a state implies others, which may be named too
        [({"read": False, "archived": True}, "read"), ({"read": None}, "read")],
    ),
    requests.Mark: (
        {"seqs", "through", "kind", "topic"},
        [
            ({"seqs": [1], "through": 1}, "through"),
            ({"seqs": [1], "kind": "k"}, "kind"),
            ({"seqs": [1], "topic": "t"}, "topic"),
            ({"kind": "k"}, "seqs"),
        ],
    ),
    # Filters narrow each other down, from the place of the cursor on: see tests/models/inbox/test_filters.py.
    requests.InboxQuery: ({"state", "kind", "topic", "severity", "actor", "limit", "cursor"}, []),
    requests.HistoryQuery: ({"kind", "topic", "recipient", "status", "since", "until", "limit", "cursor"}, []),
    requests.ChangesQuery: ({"since", "limit", "epoch"}, []),
}
OF_WHICH = [(schema, body, field) for schema, (_, refused) in DECIDED.items() for body, field in refused]

# An Idempotency-Key is taken, refused, or needs no effect, as the method is idempotent by itself.
TAKES_KEYS = {"/v1/follows", "/v1/messages", "/v1/notifications", "/v1/notifications/batch"}
REFUSES_KEYS = {"/v1/inbox/read", "/v1/inbox/seen", "/v1/inbox/archive", "/v1/inbox/{seq}", "/v1/tokens/revoke"}
WITH_TOKENS = [one for one in ENDPOINTS if one.scope is not None]


def schemas_of(endpoint: Endpoint) -> list[Any]:
    return [type_ for name, type_ in endpoint.types.items() if name in ("body", "query")]


def test_it_is_decided_of_every_field_of_every_endpoint() -> None:
    used = {schema for one in ENDPOINTS for schema in schemas_of(one)} | {requests.NoFields}
    assert used == DECIDED.keys()
    for schema, (names, _) in DECIDED.items():
        assert schema.model_fields.keys() == names, schema


@pytest.mark.parametrize(("schema", "body", "field"), OF_WHICH, ids=lambda one: getattr(one, "__name__", None))
def test_a_field_that_would_be_ignored_is_refused_by_name(
    api: Api, schema: type[Schema], body: dict[str, Any], field: str
) -> None:
    for one in ENDPOINTS:
        if schema in schemas_of(one):
            refusal = ask(api, one, json=body)
            assert [name for name, _ in fields(problem(refusal, 422, "invalid_request"))] == [field], one.path


@pytest.mark.parametrize("endpoint", WITH_TOKENS, ids=lambda one: f"{one.method} {one.path}")
def test_a_query_that_is_not_taken_is_refused_by_name(api: Api, endpoint: Endpoint) -> None:
    refusal = ask(api, endpoint, params={"until_when": "x"})
    errors = fields(problem(refusal, 422, "invalid_request"))
    assert ("until_when", "unknown_field") in errors


@pytest.mark.parametrize(
    "endpoint",
    [one for one in WITH_TOKENS if one.method != "GET" and "body" not in one.types],
    ids=lambda one: f"{one.method} {one.path}",
)
def test_a_body_that_is_not_taken_is_refused_by_name(api: Api, endpoint: Endpoint) -> None:
    refusal = ask(api, endpoint, json={"reason": "x"})
    assert fields(problem(refusal, 422, "invalid_request")) == [("reason", "unknown_field")]
    harmless_ones: list[dict[str, Any]] = [{"json": {}}, {"content": b""}, {"headers": {"Content-Length": "0"}}]
    for harmless in harmless_ones:
        assert ask(api, endpoint, **harmless).status_code in (204, 404)


@pytest.mark.parametrize("endpoint", WITH_TOKENS, ids=lambda one: f"{one.method} {one.path}")
def test_an_idempotency_key_is_taken_refused_or_needless(api: Api, endpoint: Endpoint) -> None:
    assert endpoint.keyed == (endpoint.path in TAKES_KEYS and endpoint.method == "POST")
    refuses = endpoint.path in REFUSES_KEYS and endpoint.method in ("POST", "PATCH")
    assert endpoint.keyed or refuses or endpoint.method in ("GET", "PUT", "DELETE")
    answer = ask(api, endpoint, headers={"Idempotency-Key": "k"}, json={})
    if refuses:
        assert fields(problem(answer, 422, "invalid_request")) == [("Idempotency-Key", "not_allowed")]
    else:
        assert "Idempotency-Key" not in answer.text


def test_marking_by_seqs_changes_exactly_those(api: Api, shop: Caller, bob: Caller) -> None:
    for kind in ("note", "order"):
        api.deliver(shop.post("/v1/notifications", TO_BOB | {"recipients": [bob.id], "kind": kind}))
    problem(bob.post("/v1/inbox/archive", {"seqs": [1, 2], "kind": "note"}), 422, "invalid_request")
    assert bob.summary()["unread"] == 2
    assert answered(bob.post("/v1/inbox/archive", {"through": 2, "kind": "note"}), 200)["changed"] == 1
    assert answered(bob.post("/v1/inbox/archive", {"seqs": [2]}), 200)["changed"] == 1


def ask(api: Api, endpoint: Endpoint, headers: dict[str, str] | None = None, **more: Any) -> Any:
    """An authorized request to this endpoint; its path names nothing that exists."""
    caller = api.caller("anyone", "inbox", "notify")
    path = endpoint.path
    for name, value in {"seq": "7", "notification_id": "019ac5a7-8c00-7000-8000-0000000000a1"}.items():
        path = path.replace(f"{{{name}}}", value)
    return caller.request(endpoint.method, path.replace("{", "x").replace("}", "x"), headers, **more)

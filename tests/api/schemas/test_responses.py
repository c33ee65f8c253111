"""Responses have the schemas that their endpoints declare."""

from collections.abc import Callable

from api.app import ENDPOINTS
from tests.api.running import Api, Caller, answered


def test_every_answer_has_the_shape_its_endpoint_declares(api: Api, alice: Caller, bob: Caller, shop: Caller) -> None:
    order = {"kind": "order", "title": "t", "data": {"x": [1]}, "recipients": [bob.id]}
    calls: dict[str, Callable[[], object]] = {
        "POST /v1/follows": lambda: answered(alice.post("/v1/follows", {"target": bob.id}), 202),
        "POST /v1/messages": lambda: answered(alice.post("/v1/messages", {"to": bob.id, "text": "x"}), 202),
        "POST /v1/notifications": lambda: publish(api, shop, order),
        "POST /v1/notifications/batch": lambda: answered(
            shop.post("/v1/notifications/batch", {"notifications": [order]}), 202
        ),
        "GET /v1/notifications": lambda: answered(shop.get("/v1/notifications"), 200),
        "GET /v1/notifications/{notification_id}": lambda: answered(shop.get(location(shop, order)), 200),
        "GET /v1/inbox": bob.inbox,
        "GET /v1/inbox/summary": bob.summary,
        "GET /v1/inbox/changes": lambda: bob.changes(0),
        "GET /v1/inbox/{seq}": lambda: answered(bob.get("/v1/inbox/1"), 200),
        "PATCH /v1/inbox/{seq}": lambda: answered(bob.patch("/v1/inbox/1", {"read": True}), 200),
        "POST /v1/inbox/read": lambda: answered(bob.post("/v1/inbox/read", {"through": 1}), 200),
        "POST /v1/inbox/seen": lambda: answered(bob.post("/v1/inbox/seen", {"through": 1}), 200),
        "POST /v1/inbox/archive": lambda: answered(bob.post("/v1/inbox/archive", {"through": 1}), 200),
        "GET /v1/subscriptions": lambda: answered(alice.get("/v1/subscriptions"), 200),
        "PUT /v1/topics/{topic}/subscribers": lambda: answered(
            shop.put("/v1/topics/t/subscribers", {"add": [bob.id]}), 200
        ),
        "POST /v1/tokens/revoke": lambda: answered(shop.post("/v1/tokens/revoke", {"user": f"{bob.id}'s friend"}), 200),
        "GET /healthz": lambda: answered(api.http.get("/healthz"), 200),
    }
    for endpoint in ENDPOINTS:
        name = f"{endpoint.method} {endpoint.path}"
        shape = next(iter(endpoint.responses.values()))
        if shape is not None and name != "GET /readyz":  # there is no broker here
            shape.model_validate(calls.pop(name)())
    assert not calls


def publish(api: Api, shop: Caller, body: object) -> object:
    answer = shop.post("/v1/notifications", body)
    api.deliver(answer)
    return answered(answer, 202)


def location(shop: Caller, body: object) -> str:
    return shop.post("/v1/notifications", body).headers["Location"]

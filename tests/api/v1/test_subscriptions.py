import pytest

from tests.api.running import Api, Caller, answered, fields, problem


def test_a_caller_sees_their_own_topics_sorted(alice: Caller, bob: Caller) -> None:
    for topic in ("b", "a", "a", "user:someone"):
        answer = alice.put(f"/v1/subscriptions/{topic}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert answered(alice.get("/v1/subscriptions"), 200) == {"topics": ["a", "b", "user:someone"]}
    assert answered(bob.get("/v1/subscriptions"), 200) == {"topics": []}


def test_unsubscribing_may_be_repeated(alice: Caller) -> None:
    alice.put("/v1/subscriptions/news")
    assert [alice.delete("/v1/subscriptions/news").status_code for _ in range(2)] == [204, 204]
    assert alice.get("/v1/subscriptions").json() == {"topics": []}


def test_a_producer_subscribes_and_unsubscribes_others(api: Api, shop: Caller, alice: Caller, bob: Caller) -> None:
    path = f"/v1/topics/{shop.id}/subscribers"
    assert answered(shop.put(path, {"add": [alice.id, bob.id]}), 200) == {"added": 2, "removed": 0}
    assert answered(shop.put(path, {"add": [alice.id], "remove": [bob.id, "nobody"]}), 200) == {
        "added": 0,
        "removed": 1,
    }
    assert alice.get("/v1/subscriptions").json() == {"topics": [shop.id]}
    assert bob.get("/v1/subscriptions").json() == {"topics": []}


def test_users_cannot_subscribe_others(alice: Caller, bob: Caller) -> None:
    problem(alice.put("/v1/topics/t/subscribers", {"add": [bob.id]}), 403, "forbidden")
    assert bob.get("/v1/subscriptions").json() == {"topics": []}


def test_a_list_of_subscribers_that_says_nothing_or_two_things_is_refused(api: Api, shop: Caller) -> None:
    before = api.stored()
    wrong = {
        ("add", "missing"): {},
        ("add.1", "duplicate"): {"add": ["x", "x"]},
        ("remove.0", "contradiction"): {"add": ["x"], "remove": ["x"]},
        ("add", "too_long"): {"add": [str(n) for n in range(600)], "remove": [str(n) for n in range(600, 1001)]},
        ("remove.1", "too_short"): {"remove": ["x", ""]},
    }
    for error, body in wrong.items():
        assert fields(problem(shop.put("/v1/topics/t/subscribers", body), 422, "invalid_request")) == [error]
    assert api.stored() == before


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_chunks_that_hold_nothing_are_no_body(alice: Caller, method: str) -> None:
    path, nothing = "/v1/subscriptions/x", iter(())
    assert alice.request(method, path, content=nothing).status_code == 204
    chunks = iter([b'{"a"', b": 1}"])
    refused = problem(alice.request(method, path, content=chunks), 422, "invalid_request")
    assert fields(refused) == [("a", "unknown_field")]

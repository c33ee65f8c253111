from tests.api.running import Api, Caller, answered


def test_the_target_of_a_follow_is_told_by_whom(api: Api, alice: Caller, bob: Caller) -> None:
    answer = alice.post("/v1/follows", {"target": bob.id})
    assert answered(answer, 202) == {"id": answer.json()["id"], "target": bob.id}
    api.deliver(answer)
    [item] = bob.inbox()["items"]
    assert (item["kind"], item["actor"], item["title"]) == ("follow", alice.id, f"{alice.id} follows you")
    assert item["id"] == answer.json()["id"]
    assert alice.inbox()["items"] == []


def test_a_follower_is_subscribed_to_the_target(alice: Caller, bob: Caller) -> None:
    alice.post("/v1/follows", {"target": bob.id})
    assert alice.get("/v1/subscriptions").json() == {"topics": [f"user:{bob.id}"]}
    assert bob.get("/v1/subscriptions").json() == {"topics": []}


def test_each_follow_tells_again_unless_it_repeats_its_key(alice: Caller, bob: Caller) -> None:
    follow = {"target": bob.id}
    first, again = (alice.post("/v1/follows", follow).json()["id"] for _ in range(2))
    assert first != again
    keyed, repeated = (alice.post("/v1/follows", follow, key="k").json()["id"] for _ in range(2))
    assert keyed == repeated
    assert keyed not in (first, again)


def test_unfollowing_ends_the_subscription_and_may_be_repeated(alice: Caller, bob: Caller) -> None:
    alice.post("/v1/follows", {"target": bob.id})
    for _ in range(2):
        answer = alice.delete(f"/v1/follows/{bob.id}")
        assert (answer.status_code, answer.content) == (204, b"")
    assert alice.get("/v1/subscriptions").json() == {"topics": []}


def test_a_sub_of_the_longest_kind_can_follow_and_write(api: Api, bob: Caller) -> None:
    longest = api.named("ü" * 255)
    api.deliver(
        longest.post("/v1/follows", {"target": bob.id}), longest.post("/v1/messages", {"to": bob.id, "text": "x"})
    )
    assert [item["actor"] for item in bob.inbox()["items"]] == ["ü" * 255] * 2

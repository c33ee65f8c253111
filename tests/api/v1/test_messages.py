from tests.api.running import Api, Caller, answered, problem


def test_a_message_comes_into_the_others_inbox_with_its_writer(api: Api, alice: Caller, bob: Caller) -> None:
    answer = alice.post("/v1/messages", {"to": bob.id, "text": "Grüße,\n\tbis morgen 🦉"})
    assert answered(answer, 202).keys() == {"id"}
    api.deliver(answer)
    [item] = bob.inbox()["items"]
    assert (item["kind"], item["actor"], item["body"]) == ("message", alice.id, "Grüße,\n\tbis morgen 🦉")
    assert item["title"] == f"Message from {alice.id}"
    assert alice.inbox()["items"] == []


def test_a_repeated_key_answers_the_first_message(api: Api, alice: Caller, bob: Caller) -> None:
    message = {"to": bob.id, "text": "once"}
    first, second = (alice.post("/v1/messages", message, key="same") for _ in range(2))
    assert first.json() == second.json()
    api.deliver(first, second)
    assert len(bob.inbox()["items"]) == 1


def test_a_key_with_another_text_is_refused_and_nothing_is_stored(api: Api, alice: Caller, bob: Caller) -> None:
    alice.post("/v1/messages", {"to": bob.id, "text": "one"}, key="k")
    before = api.stored()
    problem(alice.post("/v1/messages", {"to": bob.id, "text": "two"}, key="k"), 422, "idempotency_key_reused")
    problem(alice.post("/v1/follows", {"target": bob.id}, key="k"), 422, "idempotency_key_reused")
    assert api.stored() == before


def test_two_writers_equal_keys_do_not_meet(alice: Caller, bob: Caller) -> None:
    ids = {one.post("/v1/messages", {"to": "carol", "text": "hi"}, key="k").json()["id"] for one in (alice, bob)}
    assert len(ids) == 2

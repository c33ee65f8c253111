"""One item of an inbox and many: reading them, changing their state, deleting them."""

import pytest

from tests.api.running import Api, Caller, answered, problem
from tests.api.v1.test_inbox import fill, texts


def test_nobody_can_name_an_item_of_anothers_inbox(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    theirs, none = alice.get("/v1/inbox/1"), alice.get("/v1/inbox/99")
    assert problem(theirs, 404, "not_found") == problem(none, 404, "not_found")
    problem(alice.patch("/v1/inbox/1", {"read": True}), 404, "not_found")
    problem(alice.delete("/v1/inbox/1"), 404, "not_found")
    assert bob.summary()["unread"] == 1


@pytest.mark.parametrize("seq", ["0", "-1", "x", "1.0", "01", str(2**63 - 1), str(2**63), "9" * 99, "%31%00", "٣"])
def test_what_is_no_seq_of_ours_is_not_found(alice: Caller, seq: str) -> None:
    for method in ("GET", "DELETE"):
        problem(alice.request(method, f"/v1/inbox/{seq}"), 404, "not_found")
    problem(alice.patch(f"/v1/inbox/{seq}", {"read": True}), 404, "not_found")


def test_an_item_is_shown_as_in_the_list(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    assert answered(bob.get("/v1/inbox/1"), 200) == bob.inbox()["items"][0]


def test_reading_implies_seen_and_archiving_implies_read(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 2)
    read = answered(bob.patch("/v1/inbox/1", {"read": True}), 200)
    assert read["read_at"] is not None
    assert read["seen_at"] is not None
    assert read["archived_at"] is None
    archived = answered(bob.patch("/v1/inbox/2", {"archived": True}), 200)
    assert None not in (archived["archived_at"], archived["read_at"], archived["seen_at"])
    assert (bob.summary()["unread"], bob.summary()["unseen"]) == (0, 0)


def test_an_item_can_become_unread_again(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    bob.patch("/v1/inbox/1", {"read": True})
    item = answered(bob.patch("/v1/inbox/1", {"read": False}), 200)
    assert item["read_at"] is None
    assert (bob.summary()["unread"], bob.summary()["unseen"]) == (1, 0)


def test_what_is_so_already_takes_no_version(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    bob.patch("/v1/inbox/1", {"read": True})
    before = bob.summary()
    bob.patch("/v1/inbox/1", {"read": True, "seen": True})
    assert answered(bob.post("/v1/inbox/read", {"through": 1}), 200)["changed"] == 0
    assert bob.summary() == before


def test_deleting_takes_the_item_and_its_counts(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 2)
    answer = bob.delete("/v1/inbox/1")
    assert (answer.status_code, answer.content) == (204, b"")
    assert texts(bob.inbox(state="all")) == ["2"]
    assert (bob.summary()["unread"], bob.summary()["unseen"]) == (1, 1)
    problem(bob.delete("/v1/inbox/1"), 404, "not_found")


def test_mark_all_read_never_touches_what_came_after(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 3)
    marked = answered(bob.post("/v1/inbox/read", {"through": 2}), 200)
    assert marked == {"changed": 2, "version": 4, "unread": 1, "unseen": 1}
    assert texts(bob.inbox(state="unread")) == ["3"]


def test_named_items_are_marked_and_strangers_among_them_ignored(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 3)
    assert answered(bob.post("/v1/inbox/read", {"seqs": [1, 3, 77]}), 200)["changed"] == 2
    assert texts(bob.inbox(state="unread")) == ["2"]


def test_marking_can_be_narrowed_by_kind_and_topic(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    api.deliver(alice.post("/v1/follows", {"target": bob.id}))
    assert answered(bob.post("/v1/inbox/read", {"through": 2, "kind": "follow"}), 200)["changed"] == 1
    assert [item["kind"] for item in bob.inbox(state="unread")["items"]] == ["message"]
    assert answered(bob.post("/v1/inbox/read", {"through": 2, "topic": "none"}), 200)["changed"] == 0


def test_all_can_be_marked_seen_and_archived(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 2)
    assert answered(bob.post("/v1/inbox/seen", {"through": 2}), 200) == {
        "changed": 2,
        "version": 3,
        "unread": 2,
        "unseen": 0,
    }
    assert answered(bob.post("/v1/inbox/archive", {"through": 2}), 200) == {
        "changed": 2,
        "version": 4,
        "unread": 0,
        "unseen": 0,
    }
    assert texts(bob.inbox()) == []
    assert texts(bob.inbox(state="archived")) == ["2", "1"]

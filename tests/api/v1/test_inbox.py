from urllib.parse import urlsplit

import pytest

from tests.api.running import Api, Caller, answered, fields, problem


def fill(api: Api, writer: Caller, reader: Caller, count: int) -> None:
    answers = [writer.post("/v1/messages", {"to": reader.id, "text": str(n)}) for n in range(1, count + 1)]
    api.deliver(*answers)


def texts(page: dict[str, list[dict[str, str]]]) -> list[str]:
    return [item["body"] for item in page["items"]]


def test_an_inbox_is_empty_before_anything_came(alice: Caller) -> None:
    page = alice.inbox()
    assert page == {**alice.summary(), "items": [], "next_cursor": None}
    assert (page["unread"], page["unseen"], page["version"]) == (0, 0, 0)


def test_the_newest_comes_first_with_the_counts_of_the_moment(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 3)
    page = bob.inbox()
    assert texts(page) == ["3", "2", "1"]
    assert [item["seq"] for item in page["items"]] == [3, 2, 1]
    assert (page["unread"], page["unseen"], page["version"]) == (3, 3, 3)


def test_following_next_cursor_shows_every_item_once_and_then_ends(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 7)
    seen: list[str] = []
    page = bob.inbox(limit=3)
    while page["next_cursor"]:
        seen += texts(page)
        fill(api, alice, bob, 1)  # what arrives meanwhile moves nothing
        page = bob.inbox(limit=3, cursor=page["next_cursor"])
    assert seen + texts(page) == ["7", "6", "5", "4", "3", "2", "1"]


def test_a_full_last_page_leads_nowhere(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 2)
    assert bob.inbox(limit=2)["next_cursor"] is None


def test_the_link_header_leads_to_the_next_page_of_the_same_filters(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 3)
    answer = bob.get("/v1/inbox", limit=2, state="unread", actor=alice.id)
    link = answer.links["next"]["url"]
    assert urlsplit(link).path == "/v1/inbox"
    following = bob.request("GET", link)
    assert texts(answered(following, 200)) == ["1"]
    assert "Link" not in following.headers


def test_lists_by_state(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 3)
    bob.patch("/v1/inbox/1", {"read": True})
    bob.patch("/v1/inbox/2", {"archived": True})
    shown = {state: texts(bob.inbox(**state_query(state))) for state in ("", "unread", "read", "archived", "all")}
    assert shown == {"": ["3", "1"], "unread": ["3"], "read": ["1"], "archived": ["2"], "all": ["3", "2", "1"]}


def state_query(state: str) -> dict[str, str]:
    return {"state": state} if state else {}


def test_filters_combine(api: Api, shop: Caller, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    for severity in ("low", "high"):
        body = {"kind": "order", "title": severity, "severity": severity, "actor": "till", "recipients": [bob.id]}
        api.deliver(shop.post("/v1/notifications", body))
    titles = [item["title"] for item in bob.inbox(kind="order", severity="high", actor="till")["items"]]
    assert titles == ["high"]
    assert bob.inbox(kind="order", actor=alice.id)["items"] == []
    assert bob.inbox(topic="none")["items"] == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"limit": "0"}, ("limit", "out_of_range")),
        ({"limit": "101"}, ("limit", "out_of_range")),
        ({"limit": "-1"}, ("limit", "wrong_type")),
        ({"limit": "1.5"}, ("limit", "wrong_type")),
        ({"limit": "٣"}, ("limit", "wrong_type")),
        ({"limit": ""}, ("limit", "wrong_type")),
        ({"state": "new"}, ("state", "not_allowed")),
        ({"severity": "urgent"}, ("severity", "not_allowed")),
        ({"kind": ""}, ("kind", "too_short")),
        ({"kind": "a\x00"}, ("kind", "control_character")),
        ({"actor": "a" * 256}, ("actor", "too_long")),
        ({"recipient": "bob"}, ("recipient", "unknown_field")),
        ({"limit": ["1", "2"]}, ("limit", "duplicate")),
    ],
)
def test_a_query_against_the_rules_is_refused_and_names_the_field(
    alice: Caller, query: dict[str, str], error: tuple[str, str]
) -> None:
    assert fields(problem(alice.get("/v1/inbox", **query), 422, "invalid_request")) == [error]


def test_a_query_that_is_not_utf8_is_refused(alice: Caller) -> None:
    problem(alice.request("GET", "/v1/inbox?kind=%FF"), 400, "malformed_request")


def test_a_cursor_that_was_not_given_out_is_refused(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 2)
    cursor = bob.inbox(limit=1)["next_cursor"]
    assert texts(bob.inbox(limit=1, cursor=cursor)) == ["1"]
    mangled = [
        cursor[:-1],
        cursor + "A",
        cursor[1:],
        cursor.swapcase(),
        cursor + "=",
        f" {cursor}",
        "",
        "2",
        "é",
        "x" * 999,
    ]
    for wrong in mangled:
        problem(bob.get("/v1/inbox", cursor=wrong), 400, "invalid_cursor")
    problem(alice.get("/v1/inbox", cursor=cursor), 400, "invalid_cursor")


def test_the_summary_is_not_sent_again_while_nothing_changed(api: Api, alice: Caller, bob: Caller) -> None:
    first = bob.get("/v1/inbox/summary")
    tag = first.headers["ETag"]
    again = bob.request("GET", "/v1/inbox/summary", {"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    fill(api, alice, bob, 1)
    changed = bob.request("GET", "/v1/inbox/summary", {"If-None-Match": tag})
    assert answered(changed, 200)["unread"] == 1
    assert changed.headers["ETag"] != tag


def test_reading_an_inbox_opens_it_once(api: Api, alice: Caller) -> None:
    before = api.stored()["inboxes"]
    for path in ("/v1/inbox", "/v1/inbox", "/v1/inbox/summary", "/v1/inbox/changes?since=0"):
        answered(alice.request("GET", path), 200)
    assert api.stored()["inboxes"] == before + 1


@pytest.mark.parametrize("path", ["/v1/inbox", "/v1/inbox/summary", "/v1/inbox/changes?since=0"])
def test_whichever_way_it_is_read_first_everyone_means_its_owner(api: Api, alice: Caller, path: str) -> None:
    before = api.stored()["inboxes"]
    answered(alice.request("GET", path), 200)
    assert api.stored()["inboxes"] == before + 1


def test_changes_take_a_client_from_its_version_to_the_present(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 2)
    bob.patch("/v1/inbox/1", {"read": True})
    bob.delete("/v1/inbox/2")
    found = bob.changes(0)
    assert [(change["version"], change["change"]) for change in found["changes"]] == [
        (1, "added"),
        (3, "read"),
        (4, "deleted"),
    ]
    assert found["changes"][1]["seqs"] == [1]
    assert {name: found[name] for name in bob.summary()} == bob.summary()
    assert not found["more"]
    assert bob.changes(4)["changes"] == []


def test_changes_come_in_pages(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 5)
    versions, since, more = [], 0, True
    while more:
        found = bob.changes(since, limit=2)
        versions += [change["version"] for change in found["changes"]]
        since, more = found["version"], found["more"]
    assert versions == [1, 2, 3, 4, 5]


def test_a_version_of_another_history_or_of_the_future_asks_for_a_reload(api: Api, alice: Caller, bob: Caller) -> None:
    fill(api, alice, bob, 1)
    epoch = bob.summary()["epoch"]
    assert len(bob.changes(0, epoch=epoch)["changes"]) == 1
    for query in ({"since": 0, "epoch": "another"}, {"since": 2}, {"since": 2**63 - 1}):
        problem(bob.get("/v1/inbox/changes", **query), 410, "resync_required")


def test_since_is_a_version(alice: Caller) -> None:
    wrong = {
        "": "wrong_type",
        "-1": "wrong_type",
        "x": "wrong_type",
        str(2**63): "out_of_range",
        "9" * 30: "wrong_type",
    }
    for since, code in wrong.items():
        assert fields(problem(alice.get("/v1/inbox/changes", since=since), 422, "invalid_request")) == [("since", code)]
    assert fields(problem(alice.get("/v1/inbox/changes"), 422, "invalid_request")) == [("since", "missing")]


def test_an_inbox_is_not_kept_by_caches(alice: Caller) -> None:
    assert alice.get("/v1/inbox").headers["Cache-Control"] == "private, no-cache"

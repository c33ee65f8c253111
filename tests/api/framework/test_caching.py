"""Caches show a response to no other user, and not without revalidation."""

import httpx
import pytest

from tests.api.running import Api, Caller, problem

SUMMARY = "/v1/inbox/summary"
CHANGES = "/v1/inbox/changes"


def test_a_tag_is_its_owners_alone_though_both_are_at_the_same_version(alice: Caller, bob: Caller) -> None:
    tag = alice.get(SUMMARY).headers["ETag"]
    assert alice.summary()["version"] == bob.summary()["version"]
    assert bob.get(SUMMARY).headers["ETag"] != tag
    assert bob.request("GET", SUMMARY, {"If-None-Match": tag}).status_code == 200
    assert alice.request("GET", SUMMARY, {"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("form", ["{}", "W/{}", '"another", {}', "*", 'W/"another",{}'])
def test_a_tag_in_any_form_of_the_standard_is_known(alice: Caller, form: str) -> None:
    tag = alice.get(SUMMARY).headers["ETag"]
    assert alice.request("GET", SUMMARY, {"If-None-Match": form.format(tag)}).status_code == 304


@pytest.mark.parametrize("form", ['"another"', '"{}0"', '"0{}"', "", "W/"])
def test_what_is_no_tag_of_it_is_answered_in_full(alice: Caller, form: str) -> None:
    tag = alice.get(SUMMARY).headers["ETag"].strip('"')
    assert alice.request("GET", SUMMARY, {"If-None-Match": form.format(tag)}).status_code == 200


def test_what_says_that_nothing_changed_says_what_the_answer_would_have(api: Api, alice: Caller) -> None:
    origin = {"Origin": "https://app.example.com"}
    for path, headers in ((SUMMARY, {**alice.headers, **origin}), ("/openapi.json", origin), ("/docs", {})):
        whole = api.http.get(path, headers=headers)
        for method in ("GET", "HEAD"):
            again = api.http.request(method, path, headers={**headers, "If-None-Match": whole.headers["ETag"]})
            assert (again.status_code, again.content) == (304, b"")
            for name in ("ETag", "Cache-Control", "Vary"):
                assert again.headers.get(name) == whole.headers.get(name), (path, name)


def test_nothing_of_an_inbox_is_shared_or_shown_without_asking(api: Api, alice: Caller, bob: Caller) -> None:
    api.deliver(alice.post("/v1/messages", {"to": bob.id, "text": "hello"}))
    for path in ("/v1/inbox", SUMMARY, f"{CHANGES}?since=0", "/v1/inbox/1", "/v1/subscriptions"):
        assert bob.request("GET", path).headers["Cache-Control"] == "private, no-cache", path


def test_a_refusal_is_kept_by_nobody(api: Api, alice: Caller) -> None:
    refused: dict[int, httpx.Response] = {
        410: alice.get(CHANGES, since=9),
        404: alice.get("/v1/inbox/9"),
        405: alice.request("BREW", "/v1/inbox"),
        422: alice.get("/v1/inbox", limit=0),
        400: alice.get("/v1/inbox", cursor="none"),
        401: api.http.get("/v1/inbox"),
        403: alice.get("/v1/notifications"),
    }
    for status, answer in refused.items():
        problem(answer, status, answer.json()["code"])
        assert answer.headers["Cache-Control"] == "no-store", status


def test_what_anybody_may_load_is_asked_for_again_and_kept_for_each_origin(api: Api) -> None:
    for path in ("/openapi.json", "/docs", "/docs.css", "/docs.js", "/static/bell.svg"):
        answer = api.http.get(path)
        assert answer.headers["Cache-Control"] == "no-cache", path
        assert "Origin" in answer.headers["Vary"], path

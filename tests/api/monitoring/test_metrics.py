import re
from datetime import UTC, datetime, timedelta

from tests.api.running import Api, Caller


def metric(api: Api, name: str) -> float | None:
    found = re.search(rf"^{re.escape(name)} (\S+)$", api.http.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else None


def test_requests_are_counted_by_route_and_status_and_never_by_path(api: Api, alice: Caller) -> None:
    name = 'belfry_http_requests_total{method="DELETE",route="/v1/follows/{target}",status="204"}'
    before = metric(api, name) or 0
    alice.delete("/v1/follows/someone-private")
    assert metric(api, name) == before + 1
    assert "someone-private" not in api.http.get("/metrics").text


def test_unknown_routes_and_methods_make_no_new_numbers(api: Api) -> None:
    for n in range(3):
        api.http.request(f"BREW{n}", f"/nowhere/{n}")
        api.http.request(f"BREW{n}", "/v1/inbox")
    text = api.http.get("/metrics").text
    assert 'method="any",route="none",status="404"' in text
    assert "nowhere" not in text
    assert "BREW" not in text


def test_what_is_accepted_and_in_no_inbox_is_gauged_at_the_scrape(api: Api, alice: Caller, bob: Caller) -> None:
    before = metric(api, "belfry_undelivered_notifications")
    assert before is not None
    answer = alice.post("/v1/messages", {"to": bob.id, "text": "x"})
    assert metric(api, "belfry_undelivered_notifications") == before + 1
    assert (metric(api, "belfry_undelivered_oldest_seconds") or 0) > 0
    api.deliver(answer)
    assert metric(api, "belfry_undelivered_notifications") == before


def test_what_is_scheduled_is_not_stuck(api: Api, shop: Caller, bob: Caller) -> None:
    before = metric(api, "belfry_undelivered_notifications")
    due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"recipients": [bob.id], "kind": "k", "title": "t", "deliver_at": due}
    assert shop.post("/v1/notifications", body).status_code == 202
    assert metric(api, "belfry_undelivered_notifications") == before

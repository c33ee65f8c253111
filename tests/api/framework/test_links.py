"""`Location` and `Link`: paths to a client that calls the server itself, relative URLs to one behind a proxy."""

from urllib.parse import urljoin

import pytest

from api.framework.headers import FORWARDED
from tests.api.running import Api, Caller, answered

ORDER = {"kind": "order.shipped", "title": "Order 41 is on its way"}
PREFIXED = "https://example.com/belfry/v1/notifications"  # the URL before a proxy removes /belfry


@pytest.mark.parametrize("header", [name.replace("_", "-").title() for name in FORWARDED])
def test_behind_a_proxy_links_stay_below_its_prefix(shop: Caller, bob: Caller, header: str) -> None:
    for _ in range(2):
        answer = shop.request(
            "POST", "/v1/notifications", {header: "for=192.0.2.1"}, json=ORDER | {"recipients": [bob.id]}
        )
    published = f"{PREFIXED}/{answered(answer, 202)['id']}"
    assert urljoin(PREFIXED, answer.headers["Location"]) == published
    page = shop.request("GET", "/v1/notifications", {header: "for=192.0.2.1"}, params={"limit": 1})
    assert urljoin(PREFIXED, page.links["next"]["url"]).startswith(f"{PREFIXED}?limit=1&cursor=")
    one_level_down = shop.request("GET", answer.headers["Location"], {header: "for=192.0.2.1"})
    assert one_level_down.status_code == 200


def test_a_client_without_a_proxy_is_told_paths(api: Api, shop: Caller, bob: Caller) -> None:
    for _ in range(2):
        answer = shop.post("/v1/notifications", ORDER | {"recipients": [bob.id]})
    assert answer.headers["Location"].startswith("/v1/notifications/")
    assert shop.get("/v1/notifications", limit=1).links["next"]["url"].startswith("/v1/notifications?limit=1&cursor=")

"""The system below two paths of a site: every link stays below its path."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests
import socketio

from client.inbox import Inbox
from dev.install import find_node
from dev.processes import wait_for
from dev.stack import ROOT
from tests.conftest import StartProcess
from tests.support.needs import skip_or_fail
from tests.support.stack import token_for
from tests.support.under_a_path import PUSH_PATH, Site, under_a_path


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with under_a_path() as site:
        yield site


def publish(site: Site, recipient: str, title: str = "Hello") -> requests.Response:
    headers = {"Authorization": f"Bearer {token_for('shop', 'notify')}"}
    body = {"recipients": [recipient], "kind": "k", "title": title}
    answer = requests.post(f"{site.api}/v1/notifications", json=body, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text
    return answer


def test_location_leads_to_what_was_published(site: Site) -> None:
    answer = publish(site, "lola")
    headers = {"Authorization": f"Bearer {token_for('shop', 'notify')}"}
    there = urljoin(answer.url, answer.headers["Location"])
    assert there == f"{site.api}/v1/notifications/{answer.json()['id']}"
    assert requests.get(there, headers=headers, timeout=10).json()["id"] == answer.json()["id"]


def test_link_leads_to_the_next_page(site: Site) -> None:
    for title in ("one", "two"):
        publish(site, "linda", title)
    headers = {"Authorization": f"Bearer {token_for('linda')}"}

    def page(url: str) -> requests.Response:
        return requests.get(url, headers=headers, timeout=10)

    first = f"{site.api}/v1/inbox?limit=1"
    wait_for(lambda: "Link" in page(first).headers, what="both items")
    following = urljoin(first, page(first).links["next"]["url"])
    assert following.startswith(f"{site.api}/v1/inbox?")
    assert [item["title"] for item in page(following).json()["items"]] == ["one"]


def test_the_documentation_stays_below_the_path(site: Site) -> None:
    docs = requests.get(f"{site.api}/docs", timeout=10)
    assert 'href="/' not in docs.text
    assert f"export BELFRY={site.api}\n" in docs.text
    for name in ("docs.css", "openapi.json"):
        assert f'href="{name}"' in docs.text
    spec = requests.get(urljoin(docs.url, "openapi.json"), timeout=10)
    server = urljoin(spec.url, spec.json()["servers"][0]["url"]).rstrip("/")
    assert server == site.api
    assert requests.get(f"{server}/healthz", timeout=10).ok


def test_the_page_finds_its_files_and_the_push_server(site: Site) -> None:
    redirected = requests.get(site.api, timeout=10)
    assert redirected.url == f"{site.api}/"
    assert not [word for word in ('href="/', 'src="/') if word in redirected.text]
    config = requests.get(f"{site.api}/config.json", timeout=10)
    assert config.json()["push_url"] == site.push
    assert urljoin(config.url, config.json()["api"]) == f"{site.api}/v1"


def test_metrics_are_not_shown(site: Site) -> None:
    for path in (f"{site.api}/metrics", f"{site.push}/metrics"):
        assert requests.get(path, timeout=10).status_code == 404


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_python_client_follows_an_inbox(site: Site, slash: str) -> None:
    owner = f"paula{slash}"
    inbox = Inbox(site.api + slash, site.push + slash, token_for(owner), sync_every_seconds=600)
    inbox.connect()
    try:
        publish(site, owner)
        wait_for(lambda: [item["title"] for item in list(inbox.items.values())] == ["Hello"], what="the item")
    finally:
        inbox.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_a_stock_client_takes_the_path_as_an_option(site: Site, transport: str) -> None:
    received: list[str] = []
    client = socketio.Client(handle_sigint=False)
    client.on("notification", lambda change: received.append(change["item"]["title"]))
    client.connect(
        site.url, auth={"token": token_for(transport)}, transports=[transport], socketio_path=f"{PUSH_PATH}/socket.io"
    )
    try:
        publish(site, transport)
        wait_for(lambda: received == ["Hello"], what="the item")
    finally:
        client.disconnect()


def test_the_javascript_client_follows_an_inbox(site: Site, start_process: StartProcess) -> None:
    node = find_node()
    if node is None or not (ROOT / "web" / "dist" / "belfry-client.js").exists():
        skip_or_fail("there is no Node.js here, or the browser's side is not built; `make test` does both")
    script = Path(__file__).parents[1] / "web" / "javascript" / "inbox.mjs"
    process = start_process("inbox", node.program, script, f"{site.api}/", f"{site.push}/", token_for("julia"))
    wait_for(lambda: '"online"' in process.output(), 20, "the client to be online")
    publish(site, "julia", "Salut")
    wait_for(lambda: '"Salut"' in process.output(), 20, "the item")

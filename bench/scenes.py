"""The requests of the read benchmark, as complete HTTP messages."""

import http.client
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.dataset import FULL_ITEMS, HEAVY, Mixture
from bench.http import get, send
from models.limits import PAGE_MAX

USERS = 500  # users that ask for pages and changes, in turn
MARKING_USERS = 4_000  # users with two unread items each
DEPTH = 100_000


@dataclass(frozen=True)
class Scene:
    """Requests of one kind. `once`: each can be sent only once, because it changes the data."""

    name: str
    requests: list[bytes]
    once: bool = False


def scenes(mixture: Mixture, port: int, token: Callable[[str], str]) -> Iterable[Scene]:
    """All scenes; `token` makes a token for a user."""
    users = [(f"other{n * 7 + 1}", token(f"other{n * 7 + 1}")) for n in range(USERS)]
    heavy = token(HEAVY)
    version = mixture.items_each + 1  # items of each user's inbox

    def of_users(path: str) -> list[bytes]:
        return [get(path, one) for _, one in users]

    yield Scene("newest page of 20", of_users("/v1/inbox?limit=20"))
    yield Scene("newest page of 20 of a million", [get("/v1/inbox?limit=20", heavy)])
    yield Scene("page of 20 at depth 100,000", [get(_place_at_depth(port, heavy), heavy)])
    yield Scene("unread page of 20 of 20,000", [get("/v1/inbox?state=unread&limit=20", heavy)])
    yield Scene("summary, 20,000 unread", [get("/v1/inbox/summary", heavy)])
    yield Scene("changes, nothing new", of_users(f"/v1/inbox/changes?since={version}"))
    yield Scene("changes, 20 new", of_users(f"/v1/inbox/changes?since={version - 20}"))
    marking = [token(f"other{mixture.others - n}") for n in range(MARKING_USERS)]
    unread = (mixture.items_each - 1, mixture.items_each)
    one_read = [send("PATCH", f"/v1/inbox/{seq}", one, {"read": True}) for seq in unread for one in marking]
    yield Scene("mark one read", one_read, once=True)
    full = [token(f"full{n}") for n in range(1, mixture.full + 1)]
    all_read = [send("POST", "/v1/inbox/read", one, {"through": FULL_ITEMS}) for one in full]
    yield Scene("mark all of 1,000 read", all_read, once=True)


def _place_at_depth(port: int, token: str) -> str:
    """The page at this depth, found as a client does: cursor by cursor."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    cursor = ""
    for _ in range(DEPTH // PAGE_MAX):
        connection.request("GET", f"/v1/inbox?limit={PAGE_MAX}{cursor}", headers={"Authorization": f"Bearer {token}"})
        cursor = "&cursor=" + json.load(connection.getresponse())["next_cursor"]
    connection.close()
    return f"/v1/inbox?limit=20{cursor}"

"""Recipients with screens, and producers that post to them at a bounded rate until they are stopped."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import requests

from client.inbox import Change, Inbox
from tests.faults.house import House
from tests.faults.ledger import Attempt, Ledger
from tests.faults.pace import Pace
from tests.support.stack import token_for

PRODUCERS = 8
PAUSE = 0.2  # seconds between two requests of one producer: 40 a second in all, less the time of the answers
REQUEST_TIMEOUT = 15.0  # the API answers within three; no answer for this long is a finding
AGAIN_AFTER = 0.3
UNAVAILABLE = 500  # and above: the request may have taken effect, and may be repeated under its key
GIVE_UP_AFTER = 90.0  # seconds; then a keyed post that was never answered is given up
TOKEN_SECONDS = 86_400.0  # a clock may jump by an hour


class Screen(Inbox):
    """One device: the changes that it applied, in order, and how often it loaded the whole inbox."""

    def __init__(self, house: House, owner: str, push_url: str, sync_every: float, reconnect_within: float) -> None:
        self.owner = owner
        self.changes: list[Change] = []
        self.loads = 0
        token = token_for(owner, ttl_seconds=TOKEN_SECONDS)
        super().__init__(
            house.api_url,
            push_url,
            token,
            on_change=self.changes.append,
            sync_every_seconds=sync_every,
            reconnect_within_seconds=reconnect_within,
        )

    @property
    def last_change(self) -> int:
        """The version of the newest recorded change; `version` moves slightly earlier."""
        return self.changes[-1]["version"] if self.changes else 0

    def fetch_page(self, cursor: str | None) -> dict[str, Any]:
        self.loads += cursor is None
        return super().fetch_page(cursor)


class Crowd:
    """New recipients, each with a screen, a few with two; some are subscribed to a topic."""

    def __init__(self, house: House, label: str, size: int, pace: Pace) -> None:
        self.pace = pace
        self.names = [f"{label} {number}" for number in range(size)]
        self.topic = f"news of {label}"
        self.subscribers = self.names[::3]
        owners = [*self.names, *self.names[:: size // 4]]
        urls = house.push_urls
        self.screens = [
            Screen(house, owner, urls[place % len(urls)], pace.sync_every, pace.reconnect_within)
            for place, owner in enumerate(owners)
        ]

    def connect(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Screen.connect, self.screens))

    def disconnect(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(Screen.disconnect, self.screens))

    def screen_of(self, name: str) -> Screen:
        return self.screens[self.names.index(name)]


class Load:
    """Running producers. They record what they do in the ledger."""

    def __init__(self, house: House, crowd: Crowd, seed: str) -> None:
        self.ledger = Ledger()
        self.statuses: Counter[str] = Counter()  # of all answers; "none" for a request without one
        self.seconds: list[float] = []  # that each answer took
        self._house = house
        self._crowd = crowd
        self._followed: set[tuple[str, str]] = set()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=_Producer(self, house, crowd, number, seed).work, daemon=True)
            for number in range(PRODUCERS)
        ]

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def start(self) -> None:
        topic = quote(self._crowd.topic, safe="")
        produce(self._house, "PUT", f"/v1/topics/{topic}/subscribers", {"add": self._crowd.subscribers})
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop posting. Returns when the posts that are being retried are answered."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def pause(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def follows_anew(self, follower: str, target: str) -> bool:
        """Whether this pair is new. Each pair is posted once, because two follows cannot be told apart."""
        pair = (follower, target)
        is_new = pair not in self._followed
        self._followed.add(pair)
        return is_new


class _Producer:
    """One thread: posts messages, follows and notifications, and reads, archives and deletes items for their owners."""

    def __init__(self, load: Load, house: House, crowd: Crowd, number: int, seed: str) -> None:
        self._load, self._crowd = load, crowd
        self._chance = random.Random(f"{seed} {number}")
        self._name = f"{crowd.topic}, producer {number}"
        self._url = house.api_url
        self._session = requests.Session()
        self._number = 0

    def work(self) -> None:
        acts = (self._message, self._notify, self._notify_topic, self._follow, self._mark)
        while not self._load.stopping:
            [act] = self._chance.choices(acts, weights=(40, 25, 8, 7, 20))
            act()
            self._load.pause(self._chance.uniform(0.5, 1.5) * PAUSE)

    def _message(self) -> None:
        sender, to = self._chance.sample(self._crowd.names, 2)
        mark = self._new_mark()
        self._post(mark, [to], sender, "inbox", "/v1/messages", {"to": to, "text": mark})

    def _notify(self) -> None:
        recipients = self._chance.sample(self._crowd.names, self._chance.randint(2, 6))
        self._publish(recipients, {"recipients": recipients})

    def _notify_topic(self) -> None:
        self._publish(self._crowd.subscribers, {"topic": self._crowd.topic})

    def _publish(self, recipients: Sequence[str], audience: dict[str, Any]) -> None:
        mark = self._new_mark()
        said = {"kind": "order.shipped", "title": "On its way", "body": mark, **audience}
        self._post(mark, recipients, "shop", "notify", "/v1/notifications", said)

    def _follow(self) -> None:
        follower, target = self._chance.sample(self._crowd.names, 2)
        if self._load.follows_anew(follower, target):
            self._post(mark_of_follow(follower, target), [target], follower, "inbox", "/v1/follows", {"target": target})

    def _mark(self) -> None:
        owner = self._chance.choice(self._crowd.names)
        screen = self._crowd.screen_of(owner)
        items = dict(screen.items)
        if not items:
            return
        seq = self._chance.choice(list(items))
        acts: list[Callable[[], Any]] = [
            lambda: self._call("PATCH", f"/v1/inbox/{seq}", owner, "inbox", {"read": True}),
            lambda: self._call("POST", "/v1/inbox/seen", owner, "inbox", {"through": max(items)}),
            lambda: self._call("POST", "/v1/inbox/read", owner, "inbox", {"seqs": [seq]}),
            lambda: self._delete(owner, seq, items[seq]),
        ]
        self._chance.choice(acts)()

    def _delete(self, owner: str, seq: int, item: dict[str, Any]) -> None:
        self._load.ledger.delete(owner, mark_of(item, owner))
        self._call("DELETE", f"/v1/inbox/{seq}", owner, "inbox", None)

    def _new_mark(self) -> str:
        self._number += 1
        return f"{self._name}, {self._number}"

    def _post(
        self, mark: str, recipients: Sequence[str], sub: str, scope: str, path: str, said: dict[str, Any]
    ) -> None:
        """Post. Most posts have a key and are retried until they are answered; the others are tried once."""
        attempt = self._load.ledger.attempt(mark, recipients)
        keyed = {"Idempotency-Key": quote(mark)} if self._chance.random() < 0.75 else {}
        give_up_at = time.monotonic() + GIVE_UP_AFTER
        while not self._accepted(answer := self._call("POST", path, sub, scope, said, keyed), attempt):
            refused = answer is not None and answer.status_code < UNAVAILABLE
            if refused or not keyed or time.monotonic() > give_up_at:
                return
            time.sleep(AGAIN_AFTER)
        if keyed and self._chance.random() < 0.05:  # its answer might have been lost
            self._accepted(self._call("POST", path, sub, scope, said, keyed), attempt)

    def _accepted(self, answer: requests.Response | None, attempt: Attempt) -> bool:
        if answer is None or answer.status_code != 202:
            return False
        attempt.ids.add(answer.json()["id"])
        return True

    def _call(
        self, method: str, path: str, sub: str, scope: str, said: Any, more: dict[str, str] | None = None
    ) -> requests.Response | None:
        headers = {"Authorization": f"Bearer {_token(sub, scope)}", **(more or {})}
        began = time.monotonic()
        try:
            answer = self._session.request(
                method, self._url + path, json=said, headers=headers, timeout=REQUEST_TIMEOUT
            )
        except requests.RequestException as error:
            self._load.statuses["silence" if isinstance(error, requests.Timeout) else "none"] += 1
            return None
        self._load.seconds.append(time.monotonic() - began)
        self._load.statuses[str(answer.status_code)] += 1
        return answer


def produce(house: House, method: str, path: str, said: dict[str, Any]) -> dict[str, Any]:
    """Call the API as a producer, beside the load. Returns the response."""
    headers = {"Authorization": f"Bearer {_token('shop', 'notify')}"}
    answer = requests.request(method, house.api_url + path, json=said, headers=headers, timeout=REQUEST_TIMEOUT)
    answer.raise_for_status()
    return dict(answer.json()) if answer.content else {}


def mark_of(item: dict[str, Any], owner: str) -> str:
    """The mark that identifies the post of this item."""
    return mark_of_follow(item["actor"], owner) if item["kind"] == "follow" else str(item["body"])


def mark_of_follow(follower: str, target: str) -> str:
    return f"{follower} follows {target}"


_tokens: dict[tuple[str, str], str] = {}


def _token(sub: str, scope: str) -> str:
    if (sub, scope) not in _tokens:
        _tokens[sub, scope] = token_for(sub, scope, ttl_seconds=TOKEN_SECONDS)
    return _tokens[sub, scope]

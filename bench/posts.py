"""The posts: numbered notifications of a usual size."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count, islice, takewhile

from bench.http import Pool, Sent, pace, send

ACCEPTED = 202
CONNECTIONS = 32


def content(n: int) -> dict[str, object]:
    """A notification's fields without its audience."""
    return {
        "kind": "order.shipped",
        "title": f"Order {n} is on its way",
        "body": "It left our house this morning and will be with you in two days.",
        "url": f"/orders/{n}",
        "data": {"n": n},
    }


class Posts:
    """Requests that publish one notification each, for these recipients in turn; every number is used once."""

    def __init__(self, token: str, recipients: Sequence[str]) -> None:
        self._token = token
        self._recipients = recipients
        self._numbers = count()

    def take(self, many: int) -> dict[int, bytes]:
        """The next requests, by number."""
        return {n: self._request(n) for n in islice(self._numbers, many)}

    def endless(self, taken: dict[int, bytes]) -> Iterator[bytes]:
        """An endless series; each number is added to `taken` when it is used."""
        for n in self._numbers:
            taken[n] = self._request(n)
            yield taken[n]

    def recipient(self, n: int) -> str:
        return self._recipients[n % len(self._recipients)]

    def _request(self, n: int) -> bytes:
        body = {"recipients": [self.recipient(n)], **content(n)}
        return send("POST", "/v1/notifications", self._token, body)


@dataclass
class Posting:
    """The results of posting at a steady rate; complete when the posting has ended."""

    accepted: dict[int, Sent] = field(default_factory=dict)  # by number
    refused: int = 0


@asynccontextmanager
async def posting(port: int, posts: Posts, per_second: float) -> AsyncIterator[Posting]:
    """Post at this rate for the duration of the block."""
    taken: dict[int, bytes] = {}
    posted = Posting()
    stop = asyncio.Event()
    pool = Pool(port, CONNECTIONS)
    requests = takewhile(lambda _: not stop.is_set(), posts.endless(taken))
    pacing = asyncio.create_task(pace(pool, requests, per_second))
    try:
        yield posted
    finally:
        stop.set()
        sent = await pacing
        posted.accepted = accepted(taken, sent)
        posted.refused = len(sent) - len(posted.accepted)
        pool.close()


def accepted(requests: Mapping[int, bytes], sent: Sequence[Sent]) -> dict[int, Sent]:
    """The numbers that were answered with 202."""
    numbers = list(requests)
    return {numbers[one.place]: one for one in sent if one.status == ACCEPTED}

"""What is posted: numbered notifications of the usual size."""

from collections.abc import Mapping, Sequence
from itertools import count, islice

from bench.http import Sent, send

ACCEPTED = 202


def content(n: int) -> dict[str, object]:
    """What a notification says beside whom it is for."""
    return {
        "kind": "order.shipped",
        "title": f"Order {n} is on its way",
        "body": "It left our house this morning and will be with you in two days.",
        "url": f"/orders/{n}",
        "data": {"n": n},
    }


class Posts:
    """Requests that publish a notification each, for these recipients in turn; no number comes twice."""

    def __init__(self, token: str, recipients: Sequence[str]) -> None:
        self._token = token
        self._recipients = recipients
        self._numbers = count()

    def take(self, many: int) -> dict[int, bytes]:
        """So many more, by number."""
        return {n: self._request(n) for n in islice(self._numbers, many)}

    def recipient(self, n: int) -> str:
        return self._recipients[n % len(self._recipients)]

    def _request(self, n: int) -> bytes:
        body = {"recipients": [self.recipient(n)], **content(n)}
        return send("POST", "/v1/notifications", self._token, body)


def accepted(requests: Mapping[int, bytes], sent: Sequence[Sent]) -> dict[int, Sent]:
    """Those that were answered with 202, by their numbers."""
    numbers = list(requests)
    return {numbers[one.place]: one for one in sent if one.status == ACCEPTED}

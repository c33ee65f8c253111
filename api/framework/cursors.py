"""Opaque cursors: where the next page of one caller's list begins. A cursor that this API did not issue is refused."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from api.framework.problems import INVALID_CURSOR, Problem
from models.limits import SEQ_MAX

# The key is no secret: whoever signs a cursor of their own can page only through their own list. The signature finds
# cursors that are mangled, of another list or of another caller.
KEY = "belfry.cursor.2"

Place = TypeVar("Place")


@dataclass(frozen=True)
class Listing(Generic[Place]):
    """A list that every caller has one of. A cursor is valid for one list of one caller, with any filter."""

    name: str
    place_from: Callable[[str], Place]  # raises ValueError for a text that is no place in such a list

    def cursor(self, owner: str, before: Place) -> str:
        """A cursor for the page below `before` in this list of `owner`."""
        return self._signer(owner).sign(base64_encode(str(before))).decode()

    def place(self, owner: str, cursor: str | None) -> Place | None:
        """Where the page begins; None for the first page. Raises `Problem` for an invalid cursor."""
        if cursor is None:
            return None
        try:
            before = self.place_from(base64_decode(self._signer(owner).unsign(cursor)).decode())
        except (BadData, ValueError):
            raise Problem(INVALID_CURSOR) from None
        if self.cursor(owner, before) != cursor:  # base64, integers and UUIDs can be spelled in several ways
            raise Problem(INVALID_CURSOR)
        return before

    def _signer(self, owner: str) -> Signer:
        return Signer(KEY, salt=f"{self.name} {owner}", digest_method=hashlib.sha256)


def _seq(text: str) -> int:
    seq = int(text)
    if not 0 < seq <= SEQ_MAX:  # the caller may have signed any number
        raise ValueError("no seq")
    return seq


INBOX_ITEMS = Listing("inbox", _seq)
PUBLISHED = Listing("notifications", UUID)

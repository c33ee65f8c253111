"""Opaque cursors: the place where the next page of a caller's list begins. Cursors of other origin are refused."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from api.framework.problems import INVALID_CURSOR, Problem
from models.limits import SEQ_MAX

# The key is not secret: a forged cursor pages only through the list of the caller. The signature detects cursors that
# are damaged, of another list or of another caller.
KEY = "belfry.cursor.2"

Place = TypeVar("Place")


@dataclass(frozen=True)
class Listing(Generic[Place]):
    """A list that each caller has. A cursor is valid for one list of one caller, with any filter."""

    name: str
    place_from: Callable[[str], Place]  # raises ValueError for a text that is not a place

    def cursor(self, owner: str, before: Place) -> str:
        """The cursor of the page below `before` in this list of `owner`."""
        return self._signer(owner).sign(base64_encode(str(before))).decode()

    def place(self, owner: str, cursor: str | None) -> Place | None:
        """The place where the page begins; None for the first page. Raises `Problem` for an invalid cursor."""
        if cursor is None:
            return None
        try:
            before = self.place_from(base64_decode(self._signer(owner).unsign(cursor)).decode())
        except (BadData, ValueError):
            raise Problem(INVALID_CURSOR) from None
        if self.cursor(owner, before) != cursor:  # base64, integers and UUIDs have several spellings
            raise Problem(INVALID_CURSOR)
        return before

    def _signer(self, owner: str) -> Signer:
        return Signer(KEY, salt=f"{self.name} {owner}", digest_method=hashlib.sha256)


def _seq(text: str) -> int:
    seq = int(text)
    if not 0 < seq <= SEQ_MAX:  # the caller may have signed any number
        raise ValueError("not a seq")
    return seq


INBOX_ITEMS = Listing("inbox", _seq)
PUBLISHED = Listing("notifications", UUID)

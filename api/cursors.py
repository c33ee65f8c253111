"""Opaque cursors: where the next page of one caller's list begins. What this API did not give out is refused."""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from api.problems import INVALID_CURSOR, Problem
from models.limits import SEQ_MAX

FORMAT = 1
CHECK_BYTES = 9
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{1,200}")

Place = TypeVar("Place")


@dataclass(frozen=True)
class Listing(Generic[Place]):
    """A list that every caller has one of. Its cursors lead on in it whatever it is filtered by, and in no other."""

    name: str
    place_from: Callable[[str], Place]  # raises ValueError for what is no place in such a list

    def cursor(self, owner: str, before: Place) -> str:
        """A cursor for the page below `before` in this list of `owner`."""
        body = json.dumps([FORMAT, str(before)], separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._check(owner, body) + body).decode().rstrip("=")

    def place(self, owner: str, cursor: str | None) -> Place | None:
        """Where the page begins; the first one (no cursor) nowhere. Raises `Problem` for one that is mangled, made up,
        another's, or another list's."""
        if cursor is None:
            return None
        try:
            before = self.place_from(_written_in(cursor))
        except (ValueError, TypeError):
            raise Problem(INVALID_CURSOR) from None
        if self.cursor(owner, before) != cursor:
            raise Problem(INVALID_CURSOR)
        return before

    def _check(self, owner: str, body: bytes) -> bytes:
        """Finds mistakes, keeps no secret: a cursor that someone computes shows them nothing but what is theirs."""
        whose = hashlib.sha256(f"{self.name} {owner}".encode()).digest()
        return hashlib.blake2b(body, key=whose, digest_size=CHECK_BYTES).digest()


def _written_in(cursor: str) -> str:
    if not _WELL_FORMED.fullmatch(cursor):
        raise ValueError("no cursor of any list")
    form, place = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[CHECK_BYTES:])
    if form != FORMAT or not isinstance(place, str):
        raise ValueError("no cursor of this form")
    return place


def _seq(text: str) -> int:
    seq = int(text)
    if not 0 < seq <= SEQ_MAX:  # whoever computes a check may write any number
        raise ValueError("no seq")
    return seq


INBOX_ITEMS = Listing("inbox", _seq)
PUBLISHED = Listing("notifications", UUID)

"""Opaque cursors: where the next page of one caller's list begins. What this API did not give out is refused."""

import base64
import hashlib
import json
import re

from api.problems import INVALID_CURSOR, Problem
from models.limits import SEQ_MAX

FORMAT = 1
CHECK_BYTES = 9
_WELL_FORMED = re.compile(r"[A-Za-z0-9_-]{1,200}")


def make_cursor(owner: str, before: int) -> str:
    """A cursor for the page of items below `before` in the inbox of `owner`."""
    body = json.dumps([FORMAT, before], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(owner, body) + body).decode().rstrip("=")


def read_cursor(owner: str, cursor: str) -> int:
    """Where the page begins. Raises `Problem` for a cursor that is mangled, made up, or another's."""
    if not _WELL_FORMED.fullmatch(cursor):
        raise Problem(INVALID_CURSOR)
    try:
        version, before = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[CHECK_BYTES:])
    except (ValueError, TypeError):
        raise Problem(INVALID_CURSOR) from None
    is_place = type(before) is int and 0 < before <= SEQ_MAX  # whoever computes a check may write any number
    if version != FORMAT or not is_place or make_cursor(owner, before) != cursor:
        raise Problem(INVALID_CURSOR)
    return int(before)


def _check(owner: str, body: bytes) -> bytes:
    """Finds mistakes, keeps no secret: a cursor that someone computes shows them nothing but their own inbox."""
    return hashlib.blake2b(body, key=hashlib.sha256(owner.encode()).digest(), digest_size=CHECK_BYTES).digest()

"""Ids of notifications (UUIDv7): they sort by the time of acceptance, and within a batch by position."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562) of this time; the ids that one process makes sort in the order in which it made them."""
    order = time.time_ns() // 1_000 % 2**42  # microseconds: `now` may stand still for seven weeks
    tail = order << 32 | secrets.randbits(32)
    return UUID(int=first_id(now).int | (tail >> 62) << 64 | tail % 2**62)


def first_id(accepted_at: datetime) -> UUID:
    """The smallest id of a notification that is accepted in this millisecond or later."""
    milliseconds = (accepted_at - UNIX_EPOCH) // timedelta(milliseconds=1)
    return UUID(int=max(milliseconds, 0) << 80 | 0x7 << 76 | 0x2 << 62)

"""Ids of notifications: they sort by the moment of acceptance, and within a batch by place."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562) of this moment; those that one process makes after one another are sorted so."""
    order = time.time_ns() // 1_000 % 2**42  # microseconds: enough for seven weeks within one moment of `now`
    tail = order << 32 | secrets.randbits(32)
    return UUID(int=first_id(now).int | (tail >> 62) << 64 | tail % 2**62)


def first_id(moment: datetime) -> UUID:
    """No notification that was accepted at this moment, to the millisecond, or later has a smaller id."""
    milliseconds = (moment - UNIX_EPOCH) // timedelta(milliseconds=1)
    return UUID(int=max(milliseconds, 0) << 80 | 0x7 << 76 | 0x2 << 62)

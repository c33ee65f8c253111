"""The list of revoked users: what it reads, what it receives, and which tokens it covers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from auth.revocations import CLOCK_SKEW, RevocationList
from auth.tokens import Claims

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Table:
    """What a process reads, and the `since` of each read."""

    def __init__(self, **revoked_before: datetime) -> None:
        self.rows = revoked_before
        self.reads: list[datetime | None] = []

    def read(self, since: datetime | None) -> Mapping[str, datetime]:
        self.reads.append(since)
        return {user: moment for user, moment in self.rows.items() if since is None or moment >= since}


def issued(user: str, at: datetime | None) -> Claims:
    return Claims(user, frozenset(), NOON + timedelta(days=1), at)


def test_a_token_issued_before_its_users_revocation_is_covered_and_no_other() -> None:
    revocations = RevocationList(Table(bob=NOON).read)
    revocations.refresh()
    assert revocations.covers(issued("bob", NOON - SECOND))
    assert revocations.covers(issued("bob", None))
    assert not revocations.covers(issued("bob", NOON + SECOND))
    assert not revocations.covers(issued("alice", NOON - SECOND))


def test_the_first_read_is_of_everything_and_the_next_of_what_another_clock_may_have_added() -> None:
    table = Table(bob=NOON)
    revocations = RevocationList(table.read)
    revocations.refresh()
    table.rows["alice"] = NOON - CLOCK_SKEW
    revocations.refresh()
    assert table.reads == [None, NOON - CLOCK_SKEW]
    assert revocations.covers(issued("alice", NOON - CLOCK_SKEW - SECOND))


def test_a_received_revocation_does_not_narrow_the_next_read() -> None:
    table = Table()
    revocations = RevocationList(table.read)
    revocations.add("bob", NOON)
    revocations.refresh()
    assert table.reads == [None]


def test_only_what_is_new_is_reported_and_an_older_revocation_changes_nothing() -> None:
    reported: list[tuple[str, datetime]] = []
    revocations = RevocationList(Table(bob=NOON).read, lambda *revocation: reported.append(revocation))
    revocations.add("bob", NOON)
    revocations.refresh()
    revocations.add("bob", NOON - SECOND)
    assert reported == [("bob", NOON)]
    assert revocations.covers(issued("bob", NOON - SECOND))
    revocations.add("bob", NOON + SECOND)
    assert reported[1:] == [("bob", NOON + SECOND)]


def test_after_a_read_that_fails_the_next_one_reads_the_same() -> None:
    table = Table(bob=NOON)
    down = True

    def read(since: datetime | None) -> Mapping[str, datetime]:
        if down:
            raise ConnectionError
        return table.read(since)

    revocations = RevocationList(read)
    with pytest.raises(ConnectionError):
        revocations.refresh()
    down = False
    revocations.refresh()
    assert table.reads == [None]
    assert len(revocations) == 1

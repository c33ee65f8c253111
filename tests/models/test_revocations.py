"""Revocations: whose tokens are refused, and up to which time of issue."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from models import retention
from models.db.database import Database
from models.retention import Retention
from models.revocations import KEPT, all_revocations, revoke
from tests.models.conftest import NOW
from tests.models.locks import wait_until_blocked

A_SECOND = timedelta(seconds=1)
RETENTION = Retention(timedelta(days=90), timedelta(days=30))


def revoked(database: Database, since: datetime | None = None) -> dict[str, datetime]:
    with database.autocommit() as conn:
        return all_revocations(conn, since)


def take_back(database: Database, user_id: str, now: datetime = NOW) -> None:
    with database.transaction() as conn:
        revoke(conn, user_id, now)


def test_a_revocation_is_of_one_user_and_takes_the_place_of_an_earlier_one(database: Database) -> None:
    assert revoked(database) == {}
    take_back(database, "bob")
    take_back(database, "__proto__")
    take_back(database, "bob", NOW + A_SECOND)
    assert revoked(database) == {"bob": NOW + A_SECOND, "__proto__": NOW}


def test_one_that_comes_late_does_not_let_back_in_what_was_refused(database: Database) -> None:
    take_back(database, "bob")
    take_back(database, "bob", NOW - A_SECOND)
    assert revoked(database) == {"bob": NOW}


def test_what_is_new_can_be_asked_for_alone(database: Database) -> None:
    take_back(database, "alice", NOW - A_SECOND)
    take_back(database, "bob")
    assert revoked(database, NOW) == {"bob": NOW}
    assert revoked(database, NOW + A_SECOND) == {}


def test_a_revocation_is_forgotten_when_no_token_is_old_enough_for_it(database: Database) -> None:
    for n, user in enumerate(("alice", "bob", "carol")):
        take_back(database, user, NOW + n * A_SECOND)
    with database.transaction() as conn:
        assert retention.forget_revocations(conn, RETENTION, NOW + KEPT, 10) == 0
        assert retention.forget_revocations(conn, RETENTION, NOW + KEPT + 2 * A_SECOND, 1) == 1
        assert retention.forget_revocations(conn, RETENTION, NOW + KEPT + 2 * A_SECOND, 10) == 1
    assert set(revoked(database)) == {"carol"}


def test_who_is_revoked_anew_while_the_old_one_is_forgotten_stays_revoked(postgres: Database) -> None:
    take_back(postgres, "bob", NOW - KEPT - A_SECOND)

    def forget() -> int:
        with postgres.transaction() as conn:
            return retention.forget_revocations(conn, RETENTION, NOW, 10)

    with ThreadPoolExecutor(1) as pool:
        with postgres.transaction() as conn:
            revoke(conn, "bob", NOW)
            forgetting = pool.submit(forget)
            wait_until_blocked(postgres, "DELETE FROM revocations")
        assert forgetting.result() == 0
    assert revoked(postgres) == {"bob": NOW}

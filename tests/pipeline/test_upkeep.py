"""By the worker's own upkeep what is older than the settings say goes, and what many have is counted."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table, select, text, update

from dev.processes import wait_for
from dev.services import temporary_folder
from dev.stack import Stack
from models.db.database import Database
from models.limits import COUNTED_AT_ONCE
from models.schema.inbox import inbox_changes
from models.schema.notifications import notifications
from settings import load_settings
from tests.pipeline.conftest import PAIRS, services
from tests.support.people import TIMEOUT, Device, Person
from tests.support.stack import SECRET, start_stack
from workers.queues import MAINTENANCE, make_celery

A_DAY = timedelta(days=1)
KEPT = {"RETENTION_DAYS": "10", "CHANGES_RETENTION_DAYS": "5"}
MORE_THAN_ONE_BATCH = 600
KEEP_NOTIFICATIONS = {
    "postgresql": (
        "CREATE FUNCTION keep() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER kept BEFORE DELETE ON notifications FOR EACH ROW EXECUTE FUNCTION keep()",
    ),
    "sqlite": ("CREATE TRIGGER kept BEFORE DELETE ON notifications BEGIN SELECT RAISE(ABORT, 'kept'); END",),
}
LET_GO = {"postgresql": ("DROP TRIGGER kept ON notifications",), "sqlite": ("DROP TRIGGER kept",)}


@dataclass(frozen=True)
class House:
    stack: Stack
    database: Database
    broker_url: str

    def age(self, table: Table, which: Any, days: float) -> None:
        """Let this many days pass for these rows."""
        [column] = [table.c[name] for name in ("created_at", "at") if name in table.c]
        key = list(table.primary_key)
        with self.database.transaction() as conn:
            for *place, then in conn.execute(select(*key, column).where(which)).all():
                row = [one == value for one, value in zip(key, place, strict=True)]
                conn.execute(update(table).where(*row).values({column.name: then - days * A_DAY}))

    def upkeep(self) -> None:
        with make_celery(self.broker_url) as celery:
            celery.send_task(MAINTENANCE)


@pytest.fixture(scope="module", params=PAIRS)
def house(request: pytest.FixtureRequest, module_redis_url: str) -> Iterator[House]:
    with ExitStack() as stack, temporary_folder() as folder:
        database_url, broker_url = services(request.param, folder, stack, module_redis_url)
        settings = {"DATABASE_URL": database_url, "BROKER_URL": broker_url, "JWT_SECRET": SECRET}
        database = Database(load_settings(settings).database_url)
        stack.callback(database.dispose)
        yield House(stack.enter_context(start_stack(folder, database_url, broker_url, KEPT)), database, broker_url)


def test_what_is_old_goes_from_inboxes_screens_and_histories_and_what_is_not_stays(house: House) -> None:
    shop, bob = Person("old shop", house.stack, "notify"), Person("bob", house.stack)
    news = [{"recipients": ["bob"], "kind": "offer", "title": str(n)} for n in range(MORE_THAN_ONE_BATCH)]
    old = [one["id"] for one in shop.ok("POST", "/v1/notifications/batch", {"notifications": news})["notifications"]]
    bob.expect_stored(len(old))
    kept = shop.notify(recipients=["bob"], title="kept")
    bob.expect_stored(len(old) + 1)
    screen = Device("bob", house.stack)
    house.age(notifications, notifications.c.id == UUID(kept), 9)
    house.age(notifications, notifications.c.id.in_(map(UUID, old)), 10)
    house.upkeep()
    wait_for(lambda: len(bob.items()) == 1, 3 * TIMEOUT, "the old to leave bob's inbox")
    assert [item["id"] for item in bob.items()] == [kept]
    assert bob.summary()["unread"] == 1
    wait_for(lambda: len(screen.inbox.items) == screen.inbox.unread == 1, TIMEOUT, "bob's screen to show no more")
    assert {change["change"] for change in screen.changes} == {"expired"}
    screen.close()
    house.upkeep()
    wait_for(lambda: published(shop) == [kept], TIMEOUT, "the old to leave the shop's history")
    assert shop.call("GET", f"/v1/notifications/{old[0]}").status_code == 404


def published(shop: Person) -> list[str]:
    return [one["id"] for one in shop.ok("GET", "/v1/notifications?limit=2")["notifications"]]


def test_who_was_away_for_longer_than_changes_are_kept_reloads_and_nobody_else(house: House) -> None:
    shop, carol = Person("shop", house.stack, "notify"), Person("carol", house.stack)
    shop.notify(recipients=["carol"])
    carol.expect_stored(1)
    for is_read in (True, False, True):  # versions 2 to 4
        carol.ok("PATCH", "/v1/inbox/1", {"read": is_read})
    house.age(inbox_changes, (inbox_changes.c.recipient_id == carol.name) & (inbox_changes.c.version < 4), 5)
    house.age(inbox_changes, (inbox_changes.c.recipient_id == carol.name) & (inbox_changes.c.version == 4), 4)
    house.upkeep()
    wait_for(lambda: changes_since(carol, 2) == 410, TIMEOUT, "old changes to be forgotten")
    assert changes_since(carol, 3) == 200
    assert len(carol.items()) == 1


def changes_since(who: Person, version: int) -> int:
    return who.call("GET", f"/v1/inbox/changes?since={version}").status_code


def test_who_saw_and_read_what_many_have_is_counted(house: House) -> None:
    shop, dave = Person("shop", house.stack, "notify"), Person("dave", house.stack)
    id_ = shop.notify(recipients=["dave", "alice"])
    dave.expect_stored(1)
    with house.database.transaction() as conn:
        many = update(notifications).where(notifications.c.id == UUID(id_))
        conn.execute(many.values(delivered_count=COUNTED_AT_ONCE + 1))
    dave.ok("PATCH", "/v1/inbox/1", {"read": True})
    house.upkeep()
    wait_for(lambda: shop.ok("GET", f"/v1/notifications/{id_}")["seen"] == 1, TIMEOUT, "upkeep to count")
    counted = shop.ok("GET", f"/v1/notifications/{id_}")
    assert counted["read"] == 1
    assert counted["created_at"] < counted["counted_at"]


def test_a_step_that_fails_is_told_of_and_holds_up_no_other(house: House) -> None:
    shop, erin = Person("shop", house.stack, "notify"), Person("erin", house.stack)
    id_ = shop.notify(recipients=["erin"])
    erin.expect_stored(1)
    assert shop.call("DELETE", f"/v1/notifications/{id_}").status_code == 204
    wait_for(lambda: erin.items() == [], TIMEOUT, "the recalled to leave erin's inbox")
    house.age(notifications, notifications.c.id == UUID(id_), 11)
    house.age(inbox_changes, inbox_changes.c.recipient_id == erin.name, 6)
    with notifications_kept(house):
        house.upkeep()
        wait_for(lambda: changes_since(erin, 0) == 410, TIMEOUT, "old changes to be forgotten all the same")
        wait_for(lambda: failing(shop) == {"delete_old"}, TIMEOUT, "the metric to name the step that fails")
        assert re.search(r"ERROR workers\S* maintenance_failed step=delete_old", house.stack["worker"].output())
        assert shop.call("GET", f"/v1/notifications/{id_}").status_code == 200
    house.upkeep()
    wait_for(lambda: failing(shop) == set(), TIMEOUT, "the step to be well")
    assert shop.call("GET", f"/v1/notifications/{id_}").status_code == 404


@contextmanager
def notifications_kept(house: House) -> Iterator[None]:
    dialect = house.database.engine.dialect.name
    with house.database.transaction() as conn:
        for statement in KEEP_NOTIFICATIONS[dialect]:
            conn.execute(text(statement))
    yield
    with house.database.transaction() as conn:
        for statement in LET_GO[dialect]:
            conn.execute(text(statement))


def failing(anyone: Person) -> set[str]:
    lines = anyone.call("GET", "/metrics").text.splitlines()
    found = (re.match(r'belfry_maintenance_failing\{step="(\w+)"\} 1\.0', line) for line in lines)
    return {one[1] for one in found if one}

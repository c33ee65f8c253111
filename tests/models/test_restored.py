"""`python -m models.restored`: after a restore from a backup every device loads its inbox anew, whatever it holds."""

import sqlite3
import subprocess
import sys
from contextlib import closing

from models import delivery, notifications
from models.database import Database
from models.notifications import NewNotification
from tests.models.conftest import NOW, migrate
from tests.models.world import Device
from tests.support import reading


def receive(database: Database, title: str) -> None:
    with database.write() as session:
        new = NewNotification("shop", "offer", title, recipients=("bob",))
        delivery.deliver(session, notifications.accept(session, [new], NOW), NOW)


def test_a_device_that_holds_what_never_happened_shows_what_did(sqlite_url: str) -> None:
    migrate(sqlite_url)
    database = Database(sqlite_url)
    device = Device(database, "bob")
    receive(database, "in the backup")
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as file, sqlite3.connect(":memory:") as backup:
        file.backup(backup)
        receive(database, "lost")
        device.sync()
        database.dispose()
        backup.backup(file)
    receive(database, "at the same version")
    device.sync()
    assert "lost" in [item["title"] for item in device.items.values()], "by its version it lacks nothing"

    environ = {"DATABASE_URL": sqlite_url, "BROKER_URL": "redis://127.0.0.1:1/0", "JWT_SECRET": "s" * 32}
    command = [sys.executable, "-m", "models.restored"]
    epoch = device.epoch
    for asked, code in (("--help", 0), ("--dry-run", 2)):  # it does nothing but what it was asked for
        assert subprocess.run([*command, asked], env=environ, capture_output=True, check=False).returncode == code
    device.sync()
    assert device.epoch == epoch
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    device.sync()
    assert str(device.epoch) in done.stdout
    assert [item["title"] for item in device.items.values()] == ["at the same version", "in the backup"]
    with database.read() as session:
        device.expect_the_same_as(reading.page(session, "bob", state="all", limit=10))
    database.dispose()

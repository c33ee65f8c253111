"""A new epoch: after a restore from a backup every device loads its inbox anew."""

import subprocess
import sys

from models.db.database import Database
from models.delivery import deliver
from models.notifications import accept
from models.notifications.accept import NewNotification
from tests.models import backup
from tests.models.conftest import NOW
from tests.models.world import Device
from tests.support import reading


def receive(database: Database, title: str) -> None:
    with database.transaction() as conn:
        new = NewNotification("shop", "offer", title, recipients=("bob",))
        deliver.deliver(conn, accept.accept(conn, [new], NOW), NOW)


def test_a_device_that_holds_what_never_happened_shows_what_did(database: Database) -> None:
    device = Device(database, "bob")
    receive(database, "in the backup")
    with database.snapshot() as conn:
        rows = backup.back_up(conn)
    receive(database, "lost")
    device.sync()
    with database.transaction() as conn:
        backup.restore(conn, rows)
    receive(database, "at the same version")
    device.sync()
    assert "lost" in [item["title"] for item in device.items.values()], "by its version it lacks nothing"

    url = database.url
    environ = {"DATABASE_URL": url, "BROKER_URL": "redis://127.0.0.1:1/0", "JWT_SECRET": "s" * 32}
    command = [sys.executable, "-m", "cli", "new-epoch"]
    epoch = device.epoch
    for asked, code in (("--help", 0), ("--dry-run", 2)):  # it does nothing but what it was asked for
        assert subprocess.run([*command, asked], env=environ, capture_output=True, check=False).returncode == code
    device.sync()
    assert device.epoch == epoch
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    device.sync()
    assert str(device.epoch) in done.stdout
    assert [item["title"] for item in device.items.values()] == ["at the same version", "in the backup"]
    with database.snapshot() as conn:
        device.expect_the_same_as(reading.page(conn, "bob", state="all", limit=10))

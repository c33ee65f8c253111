"""What cannot be counted does not keep the others from being counted."""

import subprocess
import sys

from dev.stack import ROOT, command_environment

ENVIRON = {"DATABASE_URL": "sqlite:///x.db", "BROKER_URL": "amqp://host//", "JWT_SECRET": "x" * 32, "JWT_JWKS_URL": ""}
COUNT = """
import contextlib
from workers import maintenance

def count(session, one, now):
    print("count", one)
    if one == "broken":
        raise ValueError("a secret")

maintenance.database.read = maintenance.database.write = lambda: contextlib.nullcontext()
maintenance.receipts.due = lambda *_: ["broken", "well"]
maintenance.receipts.count, maintenance.receipts.keep = count, lambda *_: None
maintenance.maintenance.record = lambda session, step, now, succeeded: print("record", step, succeeded)
maintenance._run("count_readers", maintenance._count_readers)
"""


def test_who_read_the_others_is_counted_and_the_step_has_failed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", COUNT],
        env=command_environment(ENVIRON),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["count broken", "count well", "record count_readers False"]
    assert "maintenance_failed step=count_readers error=ValueError" in done.stderr
    assert "secret" not in done.stderr

"""Failpoints: none is armed by default; an armed one kills its process, and the others do nothing."""

import signal
import subprocess
import sys

import pytest

from dev.stack import ROOT
from lib import failpoints
from settings import load_settings

NAMES = (failpoints.ACCEPTED, failpoints.ENQUEUED, failpoints.DELIVERED, failpoints.ANNOUNCED)


def exit_code(armed: str | None, reached: tuple[str, ...]) -> int:
    """The exit code of a process that arms one failpoint and then reaches these."""
    script = f"from lib import failpoints\nfailpoints.arm({armed!r})\n"
    script += "".join(f"failpoints.reached({name!r})\n" for name in reached)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode


def test_the_settings_know_every_failpoint() -> None:
    usable = {"DATABASE_URL": "sqlite:///x.db", "BROKER_URL": "amqp://host//", "JWT_SECRET": "s" * 32}
    for name in NAMES:
        assert load_settings(usable | {"DEVELOPMENT": "yes", "FAILPOINT": name}).failpoint == name


def test_without_an_armed_failpoint_the_process_survives_all() -> None:
    assert exit_code(None, NAMES) == 0


@pytest.mark.parametrize("armed", NAMES)
def test_an_armed_failpoint_kills_and_the_others_do_not(armed: str) -> None:
    others = tuple(name for name in NAMES if name != armed)
    assert exit_code(armed, others) == 0
    assert exit_code(armed, NAMES) == -signal.SIGKILL

"""Failpoints: off, unless one is armed; then that moment kills its process, and no other does."""

import signal
import subprocess
import sys

import pytest

import settings
from lib import failpoints
from ops.stack import ROOT

NAMES = (failpoints.ACCEPTED, failpoints.ENQUEUED, failpoints.DELIVERED, failpoints.ANNOUNCED)


def pass_all(armed: str | None, names: tuple[str, ...]) -> int:
    """The exit code of a process that passes these moments with one of them armed."""
    script = f"from lib import failpoints\nfailpoints.arm({armed!r})\n"
    script += "".join(f"failpoints.reached({name!r})\n" for name in names)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode


def test_the_settings_know_every_failpoint() -> None:
    assert settings.FAILPOINTS == NAMES


def test_with_none_armed_every_moment_passes() -> None:
    assert pass_all(None, NAMES) == 0


@pytest.mark.parametrize("armed", NAMES)
def test_an_armed_moment_kills_and_the_others_pass(armed: str) -> None:
    others = tuple(name for name in NAMES if name != armed)
    assert pass_all(armed, others) == 0
    assert pass_all(armed, NAMES) == -signal.SIGKILL

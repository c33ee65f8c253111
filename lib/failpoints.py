"""Failpoints: named places between two statements at which a test can have the process killed.

A kill from outside hits such a place only by luck. No failpoint is armed unless an entry point arms one; settings.py
refuses `FAILPOINT` outside of development.
"""

import os
import signal

ACCEPTED = "accepted"  # the API has committed and not enqueued
ENQUEUED = "enqueued"  # the API has enqueued and not answered
DELIVERED = "delivered"  # the worker has committed and not announced
ANNOUNCED = "announced"  # the worker has announced and not acknowledged its task
FAILPOINTS = (ACCEPTED, ENQUEUED, DELIVERED, ANNOUNCED)

_armed: str | None = None


def arm(name: str | None) -> None:
    """Arm this failpoint and disarm any other; None disarms all."""
    global _armed  # noqa: PLW0603  (a process has at most one armed failpoint)
    _armed = name


def reached(name: str) -> None:
    """Kill this process with SIGKILL if this failpoint is armed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)

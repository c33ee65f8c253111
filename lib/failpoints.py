"""Moments at which a test may have a process killed: between two lines, where a kill from outside hits by luck alone.

Off unless an entry point arms one; settings.py refuses that outside of development.
"""

import os
import signal

ACCEPTED = "accepted"  # the API has committed and not enqueued
ENQUEUED = "enqueued"  # the API has enqueued and not answered
DELIVERED = "delivered"  # the worker has committed and not announced
ANNOUNCED = "announced"  # the worker has announced and not acknowledged its task

_armed: str | None = None


def arm(name: str | None) -> None:
    """From now on whoever reaches this moment is killed; with None nobody is."""
    global _armed  # noqa: PLW0603  (one process, one moment)
    _armed = name


def reached(name: str) -> None:
    """Die here, as by a power cut, if this moment is armed."""
    if name == _armed:
        os.kill(os.getpid(), signal.SIGKILL)

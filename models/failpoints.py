"""Moments at which a test may have a process killed: between two lines, where a kill from outside hits by luck alone.

Off unless an entry point arms one; settings.py refuses that outside of development.
"""

import os
import signal
import time

ACCEPTED = "accepted"  # the API has committed and not enqueued
ENQUEUED = "enqueued"  # the API has enqueued and not answered
BEGUN = "begun"  # the worker has its task and has delivered nothing
DELIVERED = "delivered"  # the worker has committed and not announced
ANNOUNCED = "announced"  # the worker has announced and not acknowledged its task

LAST_WORDS_SECONDS = 0.2  # in which other threads say what they had to say, such as an acknowledgement

_armed: str | None = None


def arm(name: str | None) -> None:
    """From now on whoever reaches this moment is killed; with None nobody is."""
    global _armed  # noqa: PLW0603  (one process, one moment)
    _armed = name


def reached(name: str) -> None:
    """Die here, as by a power cut, if this moment is armed."""
    if name == _armed:
        time.sleep(LAST_WORDS_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

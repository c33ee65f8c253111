"""How errors are put into the log."""

import traceback
from pathlib import Path

FRAMES = 6  # of a traceback: enough to find the place


def describe(error: BaseException) -> str:
    """An error for the log: its kind and its place, innermost first, but not its text, which may repeat input."""
    frames = traceback.extract_tb(error.__traceback__)[::-1][:FRAMES]
    where = " < ".join(f"{_short(frame.filename)}:{frame.lineno}:{frame.name}" for frame in frames)
    return f"error={type(error).__name__} at={where!r}"


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-2:])

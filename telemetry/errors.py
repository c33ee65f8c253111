"""Descriptions of exceptions for the log."""

import traceback
from pathlib import Path

MAX_FRAMES = 6  # of a traceback


def describe(error: BaseException, max_frames: int | None = MAX_FRAMES) -> str:
    """An exception's type and place, innermost frame first; not its text, which may repeat a client's input."""
    frames = traceback.extract_tb(error.__traceback__)[::-1][:max_frames]
    where = " < ".join(f"{_short(frame.filename)}:{frame.lineno}:{frame.name}" for frame in frames)
    return f"error={type(error).__name__} at={where!r}"


def _short(filename: str) -> str:
    return "/".join(Path(filename).parts[-2:])

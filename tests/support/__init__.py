"""Helpers that tests share."""

from dev.processes import Process, StartFailed, wait_for

__all__ = ["Process", "StartFailed", "wait_for"]

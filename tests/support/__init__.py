"""What tests share: polling with a deadline, and processes that end with the test."""

from dev.processes import Process, StartFailed, wait_for

__all__ = ["Process", "StartFailed", "wait_for"]

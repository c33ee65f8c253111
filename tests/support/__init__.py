"""What tests share: polling with a deadline, and processes that end with the test."""

from ops.processes import Process, StartFailed, wait_for

__all__ = ["Process", "StartFailed", "wait_for"]

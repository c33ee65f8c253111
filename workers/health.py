"""`python -m workers.health [NAME]` checks that a worker, by default the one of this host, consumes its queues.

The exit code is 0 if it does, and 1 otherwise; standard error then says why.
"""

import sys
from collections.abc import Sequence
from typing import Any

from celery.utils.nodenames import default_nodename
from celery.worker.control import inspect_command

from workers.celery import app

REPLY_TIMEOUT = 5.0  # seconds
COMMAND = "consuming"


@inspect_command(name=COMMAND)
def report(state: Any) -> dict[str, Any]:
    """The reply of a worker. Its main loop sends it, so a stuck worker does not reply."""
    consumer = state.consumer
    if not consumer.is_consuming:
        return {"error": "the broker refuses this worker its queues"}
    return {"ok": sorted(queue.name for queue in consumer.task_consumer.queues)}


def why_unhealthy(name: str) -> str | None:
    """The reason; None if the worker of this name is healthy."""
    try:
        replies = app.control.broadcast(COMMAND, destination=[name], reply=True, timeout=REPLY_TIMEOUT)
    except Exception as error:  # broker clients raise many types
        return f"The broker cannot be reached ({type(error).__name__})."
    reports = [reply[name] for reply in replies or () if name in reply]
    if not reports:
        return f"{name} does not answer."
    failures = [report for report in reports if "ok" not in report]
    return f"{name} answers, and does not consume its queues: {failures[0].get('error')}." if failures else None


def main(arguments: Sequence[str]) -> int:
    name = default_nodename(arguments[0] if arguments else None)
    if reason := why_unhealthy(name):
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

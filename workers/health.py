"""`python -m workers.health [NAME]`: whether the worker of this machine, or the one of this name, consumes its queues.

The exit code is 0 if it does; otherwise it is 1, and standard error says why.
"""

import sys
from collections.abc import Sequence
from typing import Any

from celery.utils.nodenames import default_nodename
from celery.worker.control import inspect_command

from workers.celery import app

ANSWER_SECONDS = 5.0
COMMAND = "consuming"


@inspect_command(name=COMMAND)
def report(state: Any) -> dict[str, Any]:
    """Answered by the worker's main loop, which a worker that is stuck does not reach."""
    consumer = state.consumer
    if not consumer.is_consuming:
        return {"error": "the broker refuses this worker its queues"}
    return {"ok": sorted(queue.name for queue in consumer.task_consumer.queues)}


def why_unhealthy(name: str) -> str | None:
    """None if the worker of this name is at work."""
    try:
        replies = app.control.broadcast(COMMAND, destination=[name], reply=True, timeout=ANSWER_SECONDS)
    except Exception as error:  # whatever the broker's client raises
        return f"The broker cannot be reached ({type(error).__name__})."
    answers = [reply[name] for reply in replies or () if name in reply]
    if not answers:
        return f"{name} does not answer."
    failures = [answer for answer in answers if "ok" not in answer]
    return f"{name} answers, and does not consume its queues: {failures[0].get('error')}." if failures else None


def main(arguments: Sequence[str]) -> int:
    name = default_nodename(arguments[0] if arguments else None)
    if reason := why_unhealthy(name):
        print(reason, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

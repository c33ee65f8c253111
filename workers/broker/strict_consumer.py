"""What a worker takes for a task: anything else on its queues is dropped with one line, and never ends the worker."""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)

Handle = Callable[[Any], Any]

# Of a message's headers these are believed. Celery would take any others at their word, such as a time limit that is
# none, and die of it; the broker would then give the message to the next worker, and so end one after the other.
HEADERS = ("lang", "task", "id", "expires")
NAME_MAX = 100  # of a task nobody has heard of, in the log
REPEAT_SECONDS = 10  # how often it is said that this worker cannot consume, while it tries again


class NoTask(Exception):
    """The message is no task of ours; it says why, without quoting it."""


class OnlyTasks(Consumer):  # type: ignore[misc]  # celery has no types
    """Celery's own consumer, for what has the form of a task of ours. By itself it takes any JSON apart, and quotes in
    its log what it cannot read."""

    is_consuming = False  # whether the broker has accepted this worker as a consumer of its queues
    _said_at = float("-inf")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Without what its workers tell each other: we have no use for it, and any message that is none would end them
        all."""
        super().__init__(*args, **{**options, "without_gossip": True, "without_mingle": True})

    def on_ready(self) -> None:
        """Called by the loop whenever all queues are consumed."""
        self.is_consuming = True
        super().on_ready()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        if not self.is_consuming and time.monotonic() - self._said_at > REPEAT_SECONDS:
            self._said_at = time.monotonic()
            log.error("worker_cannot_consume The broker answers, but refuses this worker its queues: %s", exc)
        self.is_consuming = False
        super().on_connection_error_after_connected(exc)

    def create_task_handler(self, *args: Any, **options: Any) -> Handle:
        handle: Handle = super().create_task_handler(*args, **options)

        def handle_task(message: Any) -> None:
            try:
                message.headers = _headers(message.headers, self.app.tasks)
                _demand_arguments(message)
            except NoTask as reason:
                _say_dropped(message, reason)
                message.reject_log_error(log, self.connection_errors)
            else:
                handle(message)

        return handle_task

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Of its control messages, which want no acknowledgement."""
        _say_dropped(message, NoTask(f"not decodable: {type(exc).__name__}"))


def _say_dropped(message: Any, reason: NoTask) -> None:
    log.warning("message_dropped bytes=%d reason=%s", len(message.body or ""), reason)


def _headers(said: Any, tasks: Any) -> dict[str, str]:
    match said:
        case {"task": str(name), "id": str()} if name in tasks:
            return {header: said[header] for header in HEADERS if isinstance(said.get(header), str)}
        case {"task": str(name)}:
            raise NoTask(f"task {name[:NAME_MAX]!r}")
    raise NoTask("no task is named")


def _demand_arguments(message: Any) -> None:
    """`[args, kwargs, options]`."""
    try:
        match message.payload:
            case [[*_], {}, {}]:
                return
    except Exception as error:  # whatever a decoder makes of what it was not made for
        raise NoTask(f"not decodable: {type(error).__name__}") from None
    raise NoTask("not [args, kwargs, options]")

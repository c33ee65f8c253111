"""A worker's consumer that drops messages which are not Belfry's tasks. Each is one log line and ends no worker."""

import logging
import time
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

log = logging.getLogger(__name__)

Handle = Callable[[Any], Any]

# Other headers are removed. Celery trusts them all: an invalid time limit, for example, ends the worker, and the broker
# then redelivers the message to the next one.
HEADERS = ("lang", "task", "id", "expires")
NAME_MAX = 100  # characters of an unknown task's name in the log
LOG_INTERVAL = 10  # seconds between two log lines about refused queues, while the worker reconnects


class InvalidTaskMessage(Exception):
    """The message is not a task of ours; the error says why, without quoting the message."""


class StrictConsumer(Consumer):  # type: ignore[misc]  # celery has no types
    """Celery's consumer, with a check of each message before it is handled.

    Celery's own handles any JSON, and quotes in its log what it cannot decode.
    """

    is_consuming = False  # whether the broker has accepted this worker as a consumer of its queues
    _logged_at = float("-inf")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Disable gossip and mingle: Belfry does not use them, and one invalid message would end every worker."""
        super().__init__(*args, **{**options, "without_gossip": True, "without_mingle": True})

    def on_ready(self) -> None:
        """Called whenever all queues are consumed."""
        self.is_consuming = True
        super().on_ready()

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        if not self.is_consuming and time.monotonic() - self._logged_at > LOG_INTERVAL:
            self._logged_at = time.monotonic()
            log.error("worker_cannot_consume The broker answers, but refuses this worker its queues: %s", exc)
        self.is_consuming = False
        super().on_connection_error_after_connected(exc)

    def create_task_handler(self, *args: Any, **options: Any) -> Handle:
        handle: Handle = super().create_task_handler(*args, **options)

        def handle_task(message: Any) -> None:
            try:
                message.headers = _checked_headers(message.headers, self.app.tasks)
                _check_payload(message)
            except InvalidTaskMessage as error:
                _log_dropped(message, error)
                message.reject_log_error(log, self.connection_errors)
            else:
                handle(message)

        return handle_task

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Called for control messages, which are not acknowledged."""
        _log_dropped(message, InvalidTaskMessage(f"not decodable: {type(exc).__name__}"))


def _log_dropped(message: Any, error: InvalidTaskMessage) -> None:
    log.warning("message_dropped bytes=%d reason=%s", len(message.body or ""), error)


def _checked_headers(headers: Any, tasks: Any) -> dict[str, str]:
    match headers:
        case {"task": str(name), "id": str()} if name in tasks:
            return {header: headers[header] for header in HEADERS if isinstance(headers.get(header), str)}
        case {"task": str(name)}:
            raise InvalidTaskMessage(f"task {name[:NAME_MAX]!r}")
    raise InvalidTaskMessage("no task is named")


def _check_payload(message: Any) -> None:
    """It must be `[args, kwargs, options]`."""
    try:
        match message.payload:
            case [[*_], {}, {}]:
                return
    except Exception as error:  # decoders raise many types
        raise InvalidTaskMessage(f"not decodable: {type(error).__name__}") from None
    raise InvalidTaskMessage("not [args, kwargs, options]")

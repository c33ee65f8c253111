"""A Socket.IO client that handles events in the order in which they were received.

`socketio.Client` handles each packet in a thread of its own, so the packets of a burst are handled in any order. Each
one out of order would look like a gap and cost a request to the API.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import engineio
import socketio

CONNECT_TIMEOUT = 10  # seconds; a client that gave up sooner would reconnect at once to an overloaded server


class OrderedClient(socketio.Client):  # type: ignore[misc]
    """Handles one packet at a time. A handler must not wait for an acknowledgement over the same socket."""

    def connect(self, *args: Any, **options: Any) -> None:
        """Connect. The longer timeout holds for each reconnect too; socketio's default is one second."""
        super().connect(*args, **{"wait_timeout": CONNECT_TIMEOUT, **options})

    def _engineio_client_class(self) -> type[engineio.Client]:
        return _SequentialEngine


class _SequentialEngine(engineio.Client):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._executor = ThreadPoolExecutor(1, "socketio-client")

    def _trigger_event(self, event: str, *args: Any, run_async: bool = False, **kwargs: Any) -> Any:
        if not run_async:
            return super()._trigger_event(event, *args, run_async=False, **kwargs)
        self._executor.submit(self.handlers[event], *args).add_done_callback(self._log_failure)
        return None

    def _log_failure(self, handled: "Future[None]") -> None:
        if error := handled.exception():
            self.logger.error("a handler failed", exc_info=error)

"""A Socket.IO client that handles what it hears in the order in which it came.

`socketio.Client` gives each packet a thread of its own, so a burst is handled in any order: every swap would be a gap,
and every gap a request to the API.
"""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import engineio
import socketio

CONNECT_SECONDS = 10  # who gave up sooner would come back at once, to a server that has too much to do already


class OrderedClient(socketio.Client):  # type: ignore[misc]
    """As `socketio.Client`, but one packet at a time: a handler must not wait for an answer over the same socket."""

    def connect(self, *args: Any, **options: Any) -> None:
        """As its own; but on each return, too, a server that is busy gets more than a second to answer."""
        super().connect(*args, **{"wait_timeout": CONNECT_SECONDS, **options})

    def _engineio_client_class(self) -> type[engineio.Client]:
        return _OneAtATime


class _OneAtATime(engineio.Client):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._handling = ThreadPoolExecutor(1, "socketio-client")

    def _trigger_event(self, event: str, *args: Any, run_async: bool = False, **kwargs: Any) -> Any:
        if not run_async:
            return super()._trigger_event(event, *args, run_async=False, **kwargs)
        self._handling.submit(self.handlers[event], *args).add_done_callback(self._log_failure)
        return None

    def _log_failure(self, handled: "Future[None]") -> None:
        if error := handled.exception():
            self.logger.error("a handler failed", exc_info=error)

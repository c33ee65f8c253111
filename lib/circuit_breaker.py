"""A circuit breaker: after a call to a service failed, further calls are refused for a while instead of timing out.

closed --failure--> open --reset_timeout passes--> half-open --success--> closed
                     ^                                 |
                     +-------------failure-------------+
"""

import threading
import time
from collections.abc import Callable


class CircuitBreaker:
    """Ask `allow` before each call and record how the call ended. Safe among threads and greenlets.

    closed     Every call is allowed. One failure opens the circuit.
    open       No call is allowed until `reset_timeout` seconds after the last failure.
    half-open  Calls are allowed again: all of them, or with `single_probe` one in each `reset_timeout`, so that a probe
               whose outcome is never recorded (its greenlet was killed) is followed by another.

    A success closes the circuit in any state: a call that was started before the failure may end after it.
    """

    def __init__(
        self, reset_timeout: float, *, single_probe: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._reset_timeout = reset_timeout
        self._single_probe = single_probe
        self._clock = clock
        self._lock = threading.Lock()
        self._refuse_until: float | None = None  # None: closed

    def allow(self) -> bool:
        """Whether a call may be made now."""
        with self._lock:
            if self._refuse_until is None:
                return True
            if self._clock() < self._refuse_until:
                return False
            if self._single_probe:
                self._open()
            return True

    def record_failure(self) -> bool:
        """Open the circuit. Returns whether it was closed before, for one log line an outage."""
        with self._lock:
            was_closed = self._refuse_until is None
            self._open()
            return was_closed

    def record_success(self) -> bool:
        """Close the circuit. Returns whether it was open or half-open before."""
        with self._lock:
            was_closed = self._refuse_until is None
            self._refuse_until = None
            return not was_closed

    def _open(self) -> None:
        self._refuse_until = self._clock() + self._reset_timeout

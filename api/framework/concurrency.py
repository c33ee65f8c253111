"""A limit on the requests that use the database at the same time. Requests beyond it are refused at once."""

from types import TracebackType

from api.framework.problems import OVERLOADED, Problem


class ConcurrencyLimit:
    """A `with` block counts as one request. For greenlets only: they do not switch inside of its methods.

    A request does not count while its body is read or its response is sent, however slow the client is.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit

    def __enter__(self) -> None:
        """Raises `Problem` if the limit is reached."""
        if self._free <= 0:
            raise Problem(OVERLOADED)
        self._free -= 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._free += 1

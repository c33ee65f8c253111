"""How many requests may wait for the database at once; whoever comes beyond is told to come back."""

from types import TracebackType

from api.framework.problems import OVERLOADED, Problem


class WaitingRoom:
    """A `with` block takes a place in it. For greenlets alone, which do not take turns inside of it.

    Whoever only sends or reads slowly takes none.
    """

    def __init__(self, places: int) -> None:
        self._free = places

    def __enter__(self) -> None:
        """Raises `Problem` at once when every place is taken."""
        if self._free <= 0:
            raise Problem(OVERLOADED)
        self._free -= 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._free += 1

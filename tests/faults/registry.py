"""What a fault is: a block that injects it when it begins, and heals it when it ends.

@fault(short=1, full=5)
def worker_killed(house: House, crowd: Crowd) -> Iterator[None]:
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from tests.faults.house import House
from tests.faults.load import Crowd

Injection = Callable[[House, Crowd], Iterator[None]]
FAULTS: dict[str, "Fault"] = {}


class Broken(Exception):
    """Something that must hold while the fault lasts does not; the message says what."""


class Impossible(Exception):
    """This machine does not let us do that; the message says why."""


@dataclass(frozen=True)
class Fault:
    """`short` and `full` are the seconds between injecting and healing; without the first `make test` leaves it out."""

    name: str
    module: str
    short: float | None
    full: float
    injected: Callable[[House, Crowd], AbstractContextManager[None]]


def fault(short: float | None, full: float) -> Callable[[Injection], Injection]:
    """Register a fault under its function's name."""

    def register(inject: Injection) -> Injection:
        name = inject.__name__.replace("_", " ")
        FAULTS[name] = Fault(name, inject.__module__.rpartition(".")[2], short, full, contextmanager(inject))
        return inject

    return register

"""Faults. Each is a context manager that injects it on entry and heals it on exit.

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
    """An invariant did not hold during the fault; the message names it."""


class Impossible(Exception):
    """This machine cannot inject the fault; the message says why."""


@dataclass(frozen=True)
class Fault:
    """`short` and `full`: seconds from injection to healing. `make test` leaves out faults without `short`."""

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

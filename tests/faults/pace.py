"""How long an episode takes, and how much is in it: short in `make test`, at full length in `make faults`."""

from dataclasses import dataclass


@dataclass
class Pace:
    """How long things are: of load before the fault and after it is healed, and of the fault itself; and how many."""

    before: float = 0.7
    after: float = 0.7
    full: bool = False  # faults that take a minute by nature take it
    sync_every: float = 6.0  # how often a screen asks by itself: what is announced last can be lost unnoticed
    reconnect_within: float = 3.0
    converged_within: float = 60.0  # seconds after it is healed; the machine may be busy with other tests as well
    many: int = 300  # clients, where a fault is one of multitudes
    packets: int = 2_000  # from hostile clients


AT_FULL_LENGTH = Pace(
    full=True, sync_every=20.0, reconnect_within=10.0, converged_within=30.0, many=5_000, packets=100_000
)

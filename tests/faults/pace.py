"""The length and the load of an episode: short in `make test`, full in `make faults`."""

from dataclasses import dataclass


@dataclass
class Pace:
    """Seconds of load before the fault, of the fault, and after the healing; and numbers of clients and packets."""

    before: float = 0.7
    after: float = 0.7
    full: bool = False  # faults that need a minute take it
    sync_every: float = 6.0  # how often a screen syncs by itself: the loss of the last announcement shows no gap
    reconnect_within: float = 3.0
    converged_within: float = 60.0  # seconds from the healing; the machine may be busy with other tests
    many: int = 300  # clients, in faults with many clients
    packets: int = 2_000  # from hostile clients


AT_FULL_LENGTH = Pace(
    full=True, sync_every=20.0, reconnect_within=10.0, converged_within=30.0, many=5_000, packets=100_000
)

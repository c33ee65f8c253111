"""All faults by name."""

from tests.faults import of_broker, of_clients, of_database, of_poison, of_processes, of_time, of_wires
from tests.faults.registry import FAULTS

__all__ = [
    "FAULTS",
    "of_broker",
    "of_clients",
    "of_database",
    "of_poison",
    "of_processes",
    "of_time",
    "of_wires",
    "short_faults",
]


def short_faults(*modules: str) -> list[str]:
    """The faults of these modules that `make test` plays as well."""
    return [name for name, fault in FAULTS.items() if fault.module in modules and fault.short is not None]

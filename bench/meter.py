"""How much CPU a process and its children have used, by the kernel's own account."""

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_ms(root: int) -> float:
    """Milliseconds of CPU, user's and system's, of a process and of its descendants, those that have ended included."""
    parents = {pid: fields for pid, fields in ((pid, _fields(pid)) for pid in _pids()) if fields}
    family, grown = {root}, True
    while grown:
        more = {pid for pid, fields in parents.items() if int(fields[1]) in family} - family
        family |= more
        grown = bool(more)
    # utime, stime, and those of children that were waited for: fields 14 to 17 of proc(5), counted from the state (3)
    return sum(int(ticks) for pid in family if pid in parents for ticks in parents[pid][11:15]) * 1000 / TICKS


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it has just ended

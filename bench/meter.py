"""How much CPU and memory processes and their children use, by the kernel's own account."""

import os
from collections.abc import Mapping
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PEAK_RESET = "5"  # for clear_refs of proc(5)


def cpu_ms(roots: Mapping[str, int]) -> dict[str, float]:
    """Milliseconds of CPU, user's and system's, of each process and its descendants, those that have ended included."""
    fields = {pid: found for pid in _pids() if (found := _fields(pid))}
    parents = {pid: int(found[1]) for pid, found in fields.items()}
    return {name: sum(_ticks(fields[pid]) for pid in _family(root, parents)) for name, root in roots.items()}


def memory_kib(root: int) -> int:
    """What a process and its descendants have in memory."""
    return _memory(root, "VmRSS:")


def peak_memory_kib(root: int) -> int:
    """The most that it was since `forget_peak` (or since they began; each at its own time)."""
    return _memory(root, "VmHWM:")


def forget_peak(root: int) -> None:
    for pid in _living_family(root):
        Path(f"/proc/{pid}/clear_refs").write_text(PEAK_RESET)


def _memory(root: int, name: str) -> int:
    status = (Path(f"/proc/{pid}/status").read_text() for pid in _living_family(root))
    return sum(int(line.split()[1]) for text in status for line in text.splitlines() if line.startswith(name))


def _living_family(root: int) -> set[int]:
    return _family(root, {pid: int(found[1]) for pid in _pids() if (found := _fields(pid))})


def _family(root: int, parents: Mapping[int, int]) -> set[int]:
    family, grown = {root} & parents.keys(), True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    return family


def _ticks(fields: list[str]) -> float:
    # utime, stime, and those of children that were waited for: fields 14 to 17 of proc(5), counted from the state (3)
    return sum(int(ticks) for ticks in fields[11:15]) * 1000 / TICKS


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _fields(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it has just ended

"""The CPU time and memory of processes and their descendants."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

PEAK_RESET = "5"  # for clear_refs of proc(5)


def cpu_ms(roots: Mapping[str, int]) -> dict[str, float]:
    """Milliseconds of CPU, user and system, of each process and its descendants, including those that have ended."""
    return {name: sum(map(_cpu_seconds, _family(root))) * 1000 for name, root in roots.items()}


def memory_kib(root: int) -> int:
    """The resident memory of a process and its descendants."""
    return sum(map(_resident_bytes, _family(root))) // 1024


def peak_memory_kib(root: int) -> int:
    """The peak of the resident memory since `forget_peak` (Linux only), added up over the descendants."""
    status = (Path(f"/proc/{process.pid}/status").read_text() for process in _family(root))
    return sum(int(line.split()[1]) for text in status for line in text.splitlines() if line.startswith("VmHWM:"))


def forget_peak(root: int) -> None:
    for process in _family(root):
        Path(f"/proc/{process.pid}/clear_refs").write_text(PEAK_RESET)


def _family(root: int) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(root)
        yield from (process, *process.children(recursive=True))
    except psutil.NoSuchProcess:
        return


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0  # the process has ended
    return float(times.user + times.system + times.children_user + times.children_system)


def _resident_bytes(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0

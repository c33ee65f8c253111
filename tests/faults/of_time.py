"""The clock of one process jumps ahead by an hour, and back."""

from collections.abc import Iterator
from pathlib import Path

from dev.install import find_faketime
from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import Impossible, fault


@fault(short=1, full=10)
def clock_of_a_worker_jumps(house: House, crowd: Crowd) -> Iterator[None]:
    yield from _jump(house, "worker")


@fault(short=1, full=10)
def clock_of_the_api_jumps(house: House, crowd: Crowd) -> Iterator[None]:
    yield from _jump(house, "api")


@fault(short=1, full=10)
def clock_of_a_push_server_jumps(house: House, crowd: Crowd) -> Iterator[None]:
    yield from _jump(house, "push")


@fault(short=1, full=10)
def clock_of_beat_jumps(house: House, crowd: Crowd) -> Iterator[None]:
    yield from _jump(house, "beat")


def _jump(house: House, name: str) -> Iterator[None]:
    library = find_faketime()
    if library is None:
        raise Impossible("libfaketime is not on this machine")
    clock = house.folder / "clock"
    clock.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",  # gunicorn's processes show that they live by a file's modification time
    }
    with house.instead(name, **faked):
        _set(clock, "+1h")
        yield
        _set(clock, "+0")


def _set(clock: Path, jump: str) -> None:
    clock.write_text(f"{jump}\n")

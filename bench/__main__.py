"""`make bench`, `make bench-quick`: throughput, latency, losses and CPU of the whole product.

python -m bench [--quick] [--runs N]                     every workload
python -m bench WORKLOAD [--quick] [--runs N] [OPTIONS]  one of them; see python -m bench WORKLOAD --help
"""

import argparse
import asyncio
import gc
import os
import resource
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench import fanout, hold, reconnect, single
from bench.house import Ground, House, end_when_told, new_house, prepared_ground
from bench.options import add_arguments, given, whole_number
from bench.report import RESULTS, Figure, Run, as_json, remember, say, table

RUNS = 2  # two runs: if they differ much, the machine was busy
AT_MOST_SECONDS = 3600  # seconds; longer means that something hangs
FILES = 16_384  # one for each client
GENERAL = {"quick": False, "on_running": False, "runs": None, "results": RESULTS}
NAMED_SERVICES = ("BELFRY_POSTGRES_URL", "BELFRY_RABBITMQ_FOLDER")


@dataclass(frozen=True)
class Workload:
    """The function that measures it, and its options in full and in quick form."""

    measure: Callable[[House, Any], Awaitable[list[Figure]]]
    full: Any
    quick: Any


WORKLOADS = {
    "single": Workload(single.measure, single.Options(), single.QUICK),
    "fanout": Workload(fanout.measure, fanout.Options(), fanout.QUICK),
    "hold": Workload(hold.measure, hold.Options(), hold.QUICK),
    "reconnect": Workload(reconnect.measure, reconnect.Options(), reconnect.QUICK),
}


def main(words: Sequence[str]) -> int:
    arguments = _parser().parse_args(words, argparse.Namespace(**GENERAL))
    if arguments.on_running and (missing := [name for name in NAMED_SERVICES if not os.environ.get(name)]):
        say(f"--on-running needs {' and '.join(missing)}, as `make services` prints them")
        return 2
    end_when_told(AT_MOST_SECONDS)
    _allow_many_files()
    gc.disable()  # few cycles are made, and a collection would count as latency
    chosen = [arguments.workload] if arguments.workload else list(WORKLOADS)
    with prepared_ground(private=not arguments.on_running) as ground:
        for name in chosen:
            print(_measure(ground, name, arguments), end="\n\n", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m bench", allow_abbrev=False, argument_default=argparse.SUPPRESS)
    kinds = parser.add_subparsers(dest="workload", metavar="WORKLOAD", help=f"one of {', '.join(WORKLOADS)}")
    parser.set_defaults(workload=None)
    _add_general(parser)
    for name, workload in WORKLOADS.items():
        of_one = kinds.add_parser(name, allow_abbrev=False, argument_default=argparse.SUPPRESS)
        _add_general(of_one)
        add_arguments(of_one, workload.full)
    return parser


def _add_general(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="smaller numbers, and one run")
    parser.add_argument("--runs", type=whole_number(1, 100), metavar="N", help="runs of each workload")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="where the numbers are written, as JSON")
    parser.add_argument(
        "--on-running", action="store_true", help="on the services that BELFRY_… variables name, not private ones"
    )


def _measure(ground: Ground, name: str, arguments: argparse.Namespace) -> str:
    workload = WORKLOADS[name]
    options = replace(workload.quick if arguments.quick else workload.full, **given(workload.full, arguments))
    count = arguments.runs or (1 if arguments.quick else RUNS)
    runs = []
    for turn in range(1, count + 1):
        say(f"{name}: run {turn} of {count}")
        runs.append(asyncio.run(_run(ground, workload, options)))
    path = remember(name, {"options": asdict(options), "runs": as_json(runs)}, arguments.results)
    say(f"{name}: the numbers are in {path}")
    return table(name, runs)


async def _run(ground: Ground, workload: Workload, options: Any) -> Run:
    before = await ground.calibrate()
    with new_house(ground) as house:
        figures = await workload.measure(house, options)
    return Run((before + await ground.calibrate()) / 2, figures)


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES if most == resource.RLIM_INFINITY else min(FILES, most), most))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Runs faults one after another in one system, and prints the table of their findings."""

import argparse
import random
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.faults.episode import INVARIANTS, LISTED, Outcome, play
from tests.faults.faults import FAULTS
from tests.faults.house import House, open_house
from tests.faults.ledger import Verdict
from tests.faults.pace import AT_FULL_LENGTH, Pace
from tests.faults.registry import Fault

WIDTH = 46


def main(arguments: Sequence[str]) -> int:
    """Returns 0 if every invariant held under every fault."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # otherwise the processes that were started would stay
    asked, began = _parse(arguments), time.monotonic()
    print(f"seed {asked.seed}", flush=True)
    with open_house() as house:
        print(headline(), flush=True)
        memory = house.memory()
        outcomes = []
        for fault, seed, pace in _plan(asked):
            print(f"{fault.name:<{WIDTH}} ", end="", flush=True)  # shows the fault that is under way
            outcomes.append(play(house, fault, seed, pace, memory))
            print(line(outcomes[-1]).removeprefix(f"{fault.name:<{WIDTH}} "), flush=True)
            house.see_all_well()
        if asked.logs and not all(outcome.ok for outcome in outcomes):
            _print_logs(house)
    print(_summary(outcomes, asked.seed, time.monotonic() - began))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def _summary(outcomes: Sequence[Outcome], seed: str, seconds: float) -> str:
    cells = [found for outcome in outcomes for found in outcome.findings.values()]
    red, missing = sum(map(bool, cells)), sum(bool(outcome.impossible) for outcome in outcomes)
    not_injected = f", {missing} of them not injected" if missing else ""
    took = f"{seconds // 60:.0f}:{seconds % 60:02.0f} minutes"
    return f"{len(outcomes)} faults{not_injected}; {len(cells) - red} cells ok, {red} red; seed {seed}; {took}"


def _plan(asked: argparse.Namespace) -> Iterator[tuple[Fault, str, Pace]]:
    """All faults once, or random ones at random times for some minutes."""
    chosen = [fault for name, fault in FAULTS.items() if not asked.only or any(word in name for word in asked.only)]
    if asked.short:
        chosen = [fault for fault in chosen if fault.short is not None]
    if not asked.long:
        for fault in chosen:
            yield fault, f"{asked.seed} {fault.name}", Pace() if asked.short else AT_FULL_LENGTH
        return
    chance, deadline = random.Random(asked.seed), time.monotonic() + 60 * asked.long
    turn = 0
    while time.monotonic() < deadline:
        turn += 1
        pace = replace(AT_FULL_LENGTH, before=chance.uniform(0, 4), after=chance.uniform(0.5, 4))
        yield chance.choice(chosen), f"{asked.seed} {turn}", pace


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", default=secrets.token_hex(3), help="repeat the choices of an earlier run")
    parser.add_argument("--only", nargs="+", metavar="WORD", help="only faults whose names contain one of these")
    parser.add_argument("--short", action="store_true", help="as in `make test`: fewer and shorter faults")
    parser.add_argument("--long", type=float, metavar="MINUTES", help="repeat faults at random")
    parser.add_argument("--logs", action="store_true", help="if there are findings, print the logs of the processes")
    return parser.parse_args(arguments)


def headline() -> str:
    cells = " ".join(f"{name:<4}" for name in INVARIANTS)
    return f"{'fault':<{WIDTH}} {cells}   ok  ind  unanswered  503  slowest  healed+  took"


def line(outcome: Outcome) -> str:
    """One row of the table, with the findings below it."""
    cells = " ".join(f"{'ok' if not outcome.findings[name] else 'RED':<4}" for name in INVARIANTS)
    statuses = outcome.statuses
    numbers = (
        f"{outcome.verdicts[Verdict.OK]:>5} {outcome.verdicts[Verdict.INDETERMINATE]:>4} {statuses['none']:>11}"
        f" {statuses['503']:>4} {outcome.slowest:>6.1f} s {outcome.converged:>6.1f} s {outcome.seconds:>4.0f} s"
    )
    return "\n".join([f"{outcome.fault:<{WIDTH}} {cells}{numbers}", *_findings(outcome)])


def _findings(outcome: Outcome) -> Iterator[str]:
    if outcome.impossible:
        yield f"    not injected: {outcome.impossible}"
    for invariant, found in outcome.findings.items():
        for finding in found[:LISTED]:
            yield f"    {invariant}: {finding}"
        if len(found) > LISTED:
            yield f"    {invariant}: and {len(found) - LISTED} more; seed {outcome.seed}"


def _print_logs(house: House) -> None:
    for process in house.services:
        print(f"--- {process.name} wrote last:\n{process.tail()}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

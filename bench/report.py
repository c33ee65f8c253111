"""The results, as a table and as JSON."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from dev.stack import ROOT

RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Figure:
    """One number; the unit is `ms`, `s`, `/s`, `KiB`, `MiB`, or nothing for a count."""

    name: str
    value: float
    unit: str = ""

    def relative(self, bare_ms: float) -> float | None:
        """A time as a multiple of a bare Flask answer's CPU, a rate as a share of such answers a second."""
        bare = {"ms": bare_ms, "s": bare_ms / 1000, "/s": 1000 / bare_ms}.get(self.unit)
        return self.value / bare if bare else None

    def __str__(self) -> str:
        return f"{shown(self.value)} {self.unit}".replace(" /", "/").rstrip()


@dataclass(frozen=True)
class Run:
    """One measurement of a workload, and the calibration beside it."""

    bare_ms: float
    figures: list[Figure]


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank; NaN for no values."""
    in_order = sorted(values)
    return in_order[min(len(in_order) - 1, int(len(in_order) * percent / 100))] if in_order else float("nan")


def latencies(name: str, seconds: Sequence[float]) -> list[Figure]:
    return [Figure(f"{name} p{percent}", percentile(seconds, percent) * 1000, "ms") for percent in (50, 95, 99)]


def table(workload: str, runs: Sequence[Run]) -> str:
    """A column for each run. The last column is the mean of the figures divided by their calibration."""
    numbers = [f"run {number}" for number in range(1, len(runs) + 1)]
    bare = Figure("a bare Flask answer's CPU", mean(run.bare_ms for run in runs), "ms")
    lines = [_row(workload, *numbers, "× bare"), "|---|" + "---:|" * (len(runs) + 1)]
    lines.append(_row(bare.name, *(str(Figure("", run.bare_ms, "ms")) for run in runs), "1"))
    for name in (figure.name for figure in runs[0].figures):
        lines.append(_row(name, *_of_runs(name, runs)))
    return "\n".join(lines)


def as_json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [
        {
            "bare_ms": run.bare_ms,
            "figures": {
                one.name: {"value": one.value, "unit": one.unit, "relative": one.relative(run.bare_ms)}
                for one in run.figures
            },
        }
        for run in runs
    ]


def remember(name: str, content: dict[str, Any], folder: Path = RESULTS) -> Path:
    """Write the numbers to a file, with the conditions of the run. Returns its path."""
    now = datetime.now(UTC)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    about = {
        "at": now.isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{now:%Y%m%dT%H%M%S}.json"
    path.write_text(json.dumps(about | content, indent=1))
    return path


def say(text: str) -> None:
    """Print progress."""
    print(text, file=sys.stderr, flush=True)


def shown(value: float) -> str:
    """With three significant digits."""
    if value == int(value) or value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _of_runs(name: str, runs: Sequence[Run]) -> list[str]:
    found = [(run, figure) for run in runs for figure in run.figures if figure.name == name]
    relative = [value for run, figure in found if (value := figure.relative(run.bare_ms)) is not None]
    return [*(str(figure) for _, figure in found), shown(mean(relative)) if relative else ""]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"

"""The processes of `Procfile` with one environment, for `make up`, `make demo` and the tests."""

import os
import shlex
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from dev.processes import Process

STARTUP_TIMEOUT = 60.0  # seconds, on a busy machine
ROOT = Path(__file__).parent.parent


def procfile() -> dict[str, list[str]]:
    """The commands of `Procfile` by name."""
    lines = (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines() if ":" in line)
    return {name.strip(): shlex.split(command) for name, _, command in lines if not name.startswith("#")}


class Stack:
    """api, worker, beat and push, each with a log file in `folder`. They run within the `with` block.

    `environ` is added to this process's environment. It sets at least DATABASE_URL, BROKER_URL, JWT_SECRET, API_PORT
    and PUSH_PORT. `more` adds processes, by names such as `push-2` or `worker-2`, with the variables that differ.
    """

    def __init__(
        self, folder: Path, environ: Mapping[str, str], more: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        self.environ = command_environment(environ)
        self._folder = folder
        overrides: dict[str, Mapping[str, str]] = {**{name: {} for name in procfile()}, **(more or {})}
        self.processes = {name: self.process(name, changed) for name, changed in overrides.items()}

    def __enter__(self) -> Self:
        try:
            self._for_each(lambda process: process.start())
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.environ['API_PORT']}"

    @property
    def push_url(self) -> str:
        return f"http://127.0.0.1:{self.environ['PUSH_PORT']}"

    def stop(self) -> None:
        self._for_each(lambda process: process.stop())

    def _for_each(self, step: Callable[[Process], object]) -> None:
        with ThreadPoolExecutor() as pool:
            for done in [pool.submit(step, process) for process in self.processes.values()]:
                done.result()

    def process(self, name: str, changed: Mapping[str, str], *arguments: str) -> Process:
        """A process that is not started yet; the caller starts and stops it. `arguments` are added to its command."""
        kind = name.partition("-")[0]
        environ = {**self.environ, **changed}
        checks: dict[str, Callable[[], bool]] = {
            "api": lambda: answers(f"http://127.0.0.1:{environ['API_PORT']}/healthz"),
            "push": lambda: answers(f"http://127.0.0.1:{environ['PUSH_PORT']}/readyz"),
            "worker": lambda: " ready" in process.output(),
        }
        command = [*procfile()[kind], *arguments]
        ready = checks.get(kind, lambda: True)
        log, timeout = self._folder / f"{name}.log", STARTUP_TIMEOUT
        process = Process(name, command, log, env=environ, cwd=ROOT, ready=ready, startup_timeout=timeout)
        return process


def command_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """This process's environment and `environ`; on the PATH, this Python's commands come first."""
    merged = {**os.environ, "PYTHONUNBUFFERED": "1", **environ}
    return {**merged, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{merged.get('PATH', '')}"}


def answers(url: str) -> bool:
    """Whether a GET of this URL returns 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1) as response:  # noqa: S310 (the URL of one of our processes)
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False

"""Ports, polling and supervised commands: what is started here is ended here, children included."""

import os
import pwd
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

PORTS = range(10240, 32768)  # below the ephemeral range: no outgoing connection takes a port while its server restarts
TAIL_LINES = 30
T = TypeVar("T")

_given: set[int] = set()


class StartFailed(Exception):
    """A process did not become ready; the message ends with the tail of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on; this process never gives the same one twice."""
    candidates = random.sample(PORTS, 1000)
    port = next(port for port in candidates if port not in _given and port_is_free(port))
    _given.add(port)
    return port


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def accepts(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def wait_for(predicate: Callable[[], T], timeout: float = 10.0, what: str = "the condition") -> T:
    """Poll until the predicate is true and return its value; `TimeoutError` says what was waited for."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(0.02)
    return value


class Process:
    """A command in a session of its own, its output in a log file; leaving the `with` block ends it and its children.

    `env` is the whole environment (default: ours), `user` an account to run as (needs root), `port` one that it will
    listen on, `ready` a check that is polled for up to `patience` seconds; by default, whether the port accepts.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        port: int | None = None,
        ready: Callable[[], object] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        patience: float = 30.0,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self._port = port
        self._ready = ready or (lambda: port is None or accepts(port))
        self._env = env
        self._cwd = cwd
        self._user = user
        self._stop_signal = stop_signal
        self._patience = patience
        self._popen: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def start(self) -> None:
        """Start the command and wait until it is ready. Raises `StartFailed`; then nothing is left running."""
        try:
            self._refuse_a_taken_port()
            self._launch()
            wait_for(self._alive_and_ready, self._patience, f"{self.name} to become ready")
        except BaseException as problem:
            self.kill()
            self.stop()
            if isinstance(problem, TimeoutError):
                raise StartFailed(f"{problem}; the end of {self.log}:\n{self.tail()}") from None
            raise

    def stop(self, grace: float = 15.0) -> int | None:
        """Ask it to end, insist after `grace` seconds, and see its children gone. Returns the exit code."""
        if self._popen is None:
            return None
        family = self.family()
        _signal(family, signal.SIGCONT)  # a paused process would not hear the next signal
        if self.running:
            self._popen.send_signal(self._stop_signal)
        try:
            self._popen.wait(grace)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        _see_gone(family[1:])
        return self._popen.wait()

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        if self._popen is None:
            return
        family = self.family()
        _signal(family, signal.SIGKILL)
        self._popen.wait()
        _see_gone(family[1:])

    def pause(self) -> None:
        """Freeze it: its sockets stay open, nothing answers."""
        _signal(self.family(), signal.SIGSTOP)

    def resume(self) -> None:
        _signal(self.family(), signal.SIGCONT)

    def output(self) -> str:
        """What it wrote since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        return "\n".join(self.output().splitlines()[-TAIL_LINES:])

    def family(self) -> list[int]:
        """Its pid, while it runs, and those of its living descendants."""
        return [self.pid, *living(descendants(self.pid))] if self.running else []

    def _refuse_a_taken_port(self) -> None:
        if self._port and not port_is_free(self._port):
            raise StartFailed(f"{self.name} cannot start: port {self._port} is taken; does another one run already?")

    def _launch(self) -> None:
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._popen = subprocess.Popen(
                self.command,
                env=self._env,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **run_as(self._user),
            )

    def _alive_and_ready(self) -> bool:
        if not self.running:
            raise StartFailed(f"{self.name} ended at its start; the end of {self.log}:\n{self.tail()}")
        return bool(self._ready())


def run_as(user: str | None) -> dict[str, Any]:
    """The arguments of `subprocess` that run a command under another account."""
    if user is None:
        return {}
    account = pwd.getpwnam(user)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def descendants(pid: int) -> list[int]:
    """The pids of a process's children, their children, and so on; zombies included."""
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def living(pids: Iterable[int]) -> list[int]:
    """Those of these processes that run; a zombie does not."""
    return [pid for pid in pids if _is_living(pid)]


def command_line(pid: int) -> str:
    """Its command and arguments, separated by spaces."""
    return " ".join(psutil.Process(pid).cmdline())


def _is_living(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _see_gone(pids: Sequence[int]) -> None:
    """Wait for processes that are ending by themselves, kill what does not, and wait until it is gone."""
    for timeout in (2.0, 5.0):
        try:
            wait_for(lambda: not living(pids), timeout, "children to end")
        except TimeoutError:
            _signal(pids, signal.SIGKILL)

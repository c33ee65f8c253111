"""Ports, polling, and commands that are stopped together with their child processes."""

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

_assigned: set[int] = set()


class StartFailed(Exception):
    """A process did not become ready; the message ends with the tail of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on; this process never returns the same port twice."""
    candidates = random.sample(PORTS, 1000)
    port = next(port for port in candidates if port not in _assigned and port_is_free(port))
    _assigned.add(port)
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
    """Poll until the predicate is true and return its value. Raises `TimeoutError` that names `what`."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}")
        time.sleep(0.02)
    return value


class Process:
    """A command in its own session, with its output in a log file. Leaving the `with` block stops it and its children.

    `env` is the whole environment (default: this process's). `user` is the account to run as (needs root). `port` is
    the port that the command will listen on. `ready` is polled for up to `startup_timeout` seconds; by default it
    checks that the port accepts connections.
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
        startup_timeout: float = 30.0,
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
        self._startup_timeout = startup_timeout
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
        """Start the command and wait until it is ready. Raises `StartFailed` and leaves nothing running."""
        try:
            self._check_port()
            self._launch()
            wait_for(self._is_ready, self._startup_timeout, f"{self.name} to become ready")
        except BaseException as problem:
            self.kill()
            self.stop()
            if isinstance(problem, TimeoutError):
                raise StartFailed(f"{problem}; the end of {self.log}:\n{self.tail()}") from None
            raise

    def stop(self, grace: float = 15.0) -> int | None:
        """Send the stop signal, and SIGKILL after `grace` seconds; wait for all children. Returns the exit code."""
        if self._popen is None:
            return None
        pids = self.process_tree()
        _signal(pids, signal.SIGCONT)  # a stopped process would not handle the next signal
        if self.running:
            self._popen.send_signal(self._stop_signal)
        try:
            self._popen.wait(grace)
        except subprocess.TimeoutExpired:
            self._popen.kill()
        _end_all(pids[1:])
        return self._popen.wait()

    def kill(self) -> None:
        """Kill it and its children at once."""
        if self._popen is None:
            return
        pids = self.process_tree()
        _signal(pids, signal.SIGKILL)
        self._popen.wait()
        _end_all(pids[1:])

    def pause(self) -> None:
        """Stop it and its children with SIGSTOP: sockets stay open, and nothing responds."""
        _signal(self.process_tree(), signal.SIGSTOP)

    def resume(self) -> None:
        _signal(self.process_tree(), signal.SIGCONT)

    def output(self) -> str:
        """Its output since the last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def tail(self) -> str:
        return "\n".join(self.output().splitlines()[-TAIL_LINES:])

    def process_tree(self) -> list[int]:
        """Its pid and those of its running descendants; empty when it does not run."""
        return [self.pid, *alive(descendants(self.pid))] if self.running else []

    def _check_port(self) -> None:
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

    def _is_ready(self) -> bool:
        if not self.running:
            raise StartFailed(f"{self.name} ended during its start; the end of {self.log}:\n{self.tail()}")
        return bool(self._ready())


def run_as(user: str | None) -> dict[str, Any]:
    """Arguments of `subprocess.Popen` that run a command under another account."""
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


def alive(pids: Iterable[int]) -> list[int]:
    """Those of these processes that run. A zombie does not run."""
    return [pid for pid in pids if _is_alive(pid)]


def command_line(pid: int) -> str:
    """Its command and arguments, separated by spaces."""
    return " ".join(psutil.Process(pid).cmdline())


def _is_alive(pid: int) -> bool:
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


def _end_all(pids: Sequence[int]) -> None:
    """Wait until these processes have ended; kill those that do not end by themselves."""
    for timeout in (2.0, 5.0):
        try:
            wait_for(lambda: not alive(pids), timeout, "children to end")
        except TimeoutError:
            _signal(pids, signal.SIGKILL)

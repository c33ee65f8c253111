"""`make up`: run the whole system on this machine until Ctrl-C.

python -m dev.up [FOLDER]    data and logs are in FOLDER, by default var/
"""

import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from api.tokens import NoToken, make_token
from dev.embedded import EXPORTED, AlreadyRunning, embedded, locked
from dev.processes import Process, StartFailed, port_is_free
from dev.stack import ROOT, Stack
from lib.ports import PORT_MAX, without_service_links
from settings import SettingsError

TOKEN_SECONDS = 24 * 3600
RESTARTS_MAX = 3  # of one process within RESTART_WINDOW; more means that it cannot run
RESTART_WINDOW = 60.0  # seconds
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PORTS = range(1, PORT_MAX + 1)

GREETING = """
Belfry is up. Two people are ready (their tokens are good for a day):

  export ALICE={alice}
  export BOB={bob}

  Open   {page}
         Three inboxes side by side: write as alice, see bob receive it, and how long it took.

  Try    curl -s {api}/v1/messages -H "Authorization: Bearer $ALICE" --json '{{"to": "bob", "text": "Hello bob!"}}'
         curl -s {api}/v1/inbox -H "Authorization: Bearer $BOB"

  Docs   {api}/docs
         Every call, with a line to paste; in OpenAPI 3.1: {api}/openapi.json

  More   make token USER=carol; a producer's: make token USER=shop SCOPE=notify; the rest is in README.md
  Push   {push} (Socket.IO)
  Logs   {logs}

Ctrl-C stops everything; the data stay in {folder}.
"""


class PortTaken(Exception):
    """Another process listens on the port; the message names the variable to set."""


def main() -> int:
    for number in STOP_SIGNALS:  # a shell ignores SIGINT for commands in the background
        signal.signal(number, _interrupt)
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "var"
    try:
        return _run(folder, {"API_PORT": "8000", "PUSH_PORT": "8001", **without_service_links(os.environ)})
    except KeyboardInterrupt:
        return 0
    except (StartFailed, SettingsError, AlreadyRunning, PortTaken) as error:
        print(error, file=sys.stderr)
        return 1


def _run(folder: Path, environ: Mapping[str, str]) -> int:
    with locked(folder):  # reports another system in this folder before its ports
        _check_ports(environ)
    print("Starting Belfry (a few seconds) …", flush=True)
    with embedded(folder, environ) as services, _environment_file(folder / "up.env", services.environ):
        logs = folder / "log"
        logs.mkdir(exist_ok=True)
        with Stack(logs, services.environ) as stack:
            print(_greeting(stack, folder), flush=True)
            with suppress(KeyboardInterrupt):
                _supervise([*stack.processes.values(), *([services.broker] if services.broker else [])])
            print("\nStopping …", flush=True)
    print("Stopped.", flush=True)
    return 0


@contextmanager
def _environment_file(file: Path, environ: Mapping[str, str]) -> Iterator[None]:
    """While the system runs, a file from which a shell sets the variables that other commands need."""
    file.touch(mode=0o600)
    file.write_text("".join(f"{name}={shlex.quote(environ.get(name, ''))}\n" for name in EXPORTED))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _supervise(processes: Sequence[Process]) -> None:
    """Restart processes that end. Raises `StartFailed` when one ends too often."""
    ends: dict[str, list[float]] = {process.name: [] for process in processes}
    while True:
        time.sleep(0.5)
        for process in processes:
            if process.running:
                continue
            now = time.monotonic()
            recent = [at for at in ends[process.name] if now - at < RESTART_WINDOW] + [now]
            ends[process.name] = recent
            print(f"{process.name} ended; the end of {process.log}:\n{process.tail()}", file=sys.stderr, flush=True)
            if len(recent) > RESTARTS_MAX:
                raise StartFailed(f"{process.name} ended {len(recent)} times within a minute; giving up")
            with suppress(StartFailed):  # the next round finds it ended and counts that
                process.start()
                print(f"{process.name} runs again.", file=sys.stderr, flush=True)


def _greeting(stack: Stack, folder: Path) -> str:
    alice, bob = (_token(stack, name) for name in ("alice", "bob"))
    people = (f"{name}={_token(stack, name, 'notify')}" for name in ("alice", "bob", "carol"))
    page = f"{stack.api_url}/#{'&'.join(people)}"
    values = {"api": stack.api_url, "push": stack.push_url, "logs": folder / "log", "folder": folder}
    return GREETING.format(page=page, alice=alice, bob=bob, **values)


def _token(stack: Stack, name: str, *scopes: str) -> str:
    try:
        return make_token(name, ["inbox", *scopes], TOKEN_SECONDS, stack.environ)
    except NoToken:
        return "<a token from your identity provider>"


def _check_ports(environ: Mapping[str, str]) -> None:
    for variable in ("API_PORT", "PUSH_PORT"):
        port = environ[variable]
        if port.isdigit() and int(port) in PORTS and not port_is_free(int(port)):
            raise PortTaken(f"Port {port} is taken. Set another: {variable}={int(port) + 100} make up")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    for number in STOP_SIGNALS:  # a second signal, also one that make forwards, would leave processes behind
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

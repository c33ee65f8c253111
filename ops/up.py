"""`make up`: the whole system on this machine, until Ctrl-C. Data and logs lie in `var/`, or in a folder that is named.

python -m ops.up [FOLDER]
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType

from ops.embedded import embedded
from ops.processes import StartFailed, port_is_free
from ops.stack import ROOT, Stack
from push.tokens import issue
from settings import SettingsError, load_settings

TOKEN_SECONDS = 24 * 3600
DEATHS_IN_A_ROW = 3  # a process that ends this often within a minute will not live the fourth time either
A_MINUTE = 60.0

GREETING = """
Belfry is up. Two people are ready (their tokens are good for a day):

  export ALICE={alice}
  export BOB={bob}

  Open   {page}
         Both inboxes side by side: write as alice, see bob receive it.

  Try    curl -s {api}/v1/messages -H "Authorization: Bearer $ALICE" --json '{{"to": "bob", "text": "Hello bob!"}}'
         curl -s {api}/v1/inbox -H "Authorization: Bearer $BOB"

  More   make token USER=carol; a producer's: make token USER=shop SCOPE=notify; the rest is in README.md
  Push   {push} (Socket.IO)
  Logs   {logs}

Ctrl-C stops everything; the data stay in {folder}.
"""


def main() -> int:
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGHUP, _interrupt)
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "var"
    environ = {"API_PORT": "8000", "PUSH_PORT": "8001", **os.environ}
    if problem := _taken_port(environ):
        print(problem, file=sys.stderr)
        return 1
    try:
        return _run(folder, environ)
    except KeyboardInterrupt:
        return 0
    except (StartFailed, SettingsError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(folder: Path, environ: Mapping[str, str]) -> int:
    print("Starting Belfry (a few seconds) …", flush=True)
    logs = folder / "log"
    logs.mkdir(parents=True, exist_ok=True)
    with embedded(folder, environ) as found:
        load_settings(found)  # refuses an unusable environment in words, before anything is started
        with Stack(logs, found) as stack:
            print(_greeting(stack, folder), flush=True)
            with suppress(KeyboardInterrupt):
                _keep_running(stack)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C would leave processes behind
            print("\nStopping …", flush=True)
    print("Stopped.", flush=True)
    return 0


def _keep_running(stack: Stack) -> None:
    """Start again what ends by itself; give up on what cannot live."""
    deaths: dict[str, list[float]] = {name: [] for name in stack.processes}
    while True:
        time.sleep(0.5)
        for name, process in stack.processes.items():
            if process.running:
                continue
            now = time.monotonic()
            deaths[name] = [at for at in deaths[name] if now - at < A_MINUTE] + [now]
            print(f"{name} ended; the end of {process.log}:\n{process.tail()}", file=sys.stderr, flush=True)
            if len(deaths[name]) > DEATHS_IN_A_ROW:
                raise StartFailed(f"{name} ended {len(deaths[name])} times within a minute; giving up")
            process.start()
            print(f"{name} runs again.", file=sys.stderr, flush=True)


def _greeting(stack: Stack, folder: Path) -> str:
    alice, bob = (_token(stack, name) for name in ("alice", "bob"))
    page = f"{stack.api_url}/#alice={alice}&bob={bob}"
    places = {"api": stack.api_url, "push": stack.push_url, "logs": folder / "log", "folder": folder}
    return GREETING.format(page=page, alice=alice, bob=bob, **places)


def _token(stack: Stack, name: str) -> str:
    secret = stack.environ.get("JWT_SECRET")
    return issue(secret, name, ["inbox"], TOKEN_SECONDS) if secret else "<a token from your identity provider>"


def _taken_port(environ: Mapping[str, str]) -> str | None:
    for variable in ("API_PORT", "PUSH_PORT"):
        port = environ[variable]
        if port.isdigit() and not port_is_free(int(port)):
            return f"Port {port} is taken. Set another: {variable}={int(port) + 100} make up"
    return None


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

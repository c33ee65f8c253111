"""PostgreSQL: a private server on a port of its own."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from dev.install import find_postgresql
from dev.processes import Process, StartFailed, free_port, run_as
from dev.state import remembered

CONNECTIONS = {"max_connections": 200}  # a few processes with a pool each, several times over
# As docker-compose.yml has it: room for what a fan-out to a million touches, and for what it logs between checkpoints.
AS_IN_PRODUCTION = {**CONNECTIONS, "shared_buffers": "512MB", "max_wal_size": "4GB"}
SMALL = {**CONNECTIONS, "shared_buffers": "64MB", "fsync": "off", "full_page_writes": "off"}


class PostgreSQL(Process):
    """A private PostgreSQL on 127.0.0.1; data, port and password stay the same over restarts.

    With `fsync` it is set up as in production; without it is small and quick, and survives the end of its process, but
    not of the machine. `more` are settings of the server, such as `unix_socket_directories`. Root runs it under the
    account `postgres` (or `nobody`), as PostgreSQL refuses root.
    """

    def __init__(self, folder: Path, *, fsync: bool = False, **more: str) -> None:
        state = remembered(folder, port=free_port, password=secrets.token_hex)
        self.folder, self.data = folder, folder / "data"
        self.port, self.password = state["port"], state["password"]
        self.url = f"postgresql://belfry:{self.password}@127.0.0.1:{self.port}/postgres"
        self.account = _account() if os.geteuid() == 0 else None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",  # a socket's path may be too long here
            **(AS_IN_PRODUCTION if fsync else SMALL),
            **more,
        }
        command: list[str | Path] = [binaries() / "postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        super().__init__(
            "PostgreSQL",
            command,
            folder / "log",
            port=self.port,
            ready=self._takes_connections,
            cwd=folder,
            user=self.account,
            stop_signal=signal.SIGINT,  # its "fast shutdown": does not wait for clients
        )

    def start(self) -> None:
        if self.account:
            shutil.chown(self.folder, self.account)
            _refuse_a_closed_path(self.folder, self.account)
        if not (self.data / "PG_VERSION").exists():
            self.initialise()
        super().start()

    def initialise(self) -> None:
        passwords = self.folder / "password"
        passwords.touch(mode=0o600)
        passwords.write_text(self.password)
        if self.account:
            shutil.chown(passwords, self.account)
        command: list[str | Path] = [binaries() / "initdb", "-D", self.data, "--username=belfry", "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={passwords}", "--encoding=UTF8", "--no-locale"]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **run_as(self.account)
        )
        passwords.unlink()
        if done.returncode != 0:
            raise StartFailed(f"PostgreSQL could not make its data folder:\n{done.stdout}{done.stderr}")

    def _takes_connections(self) -> bool:
        """The server's own word in its pid file: an open port may still answer "the database system is starting up"."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(self.pid)] and lines[-1].strip() == "ready"


def binaries() -> Path:
    binaries = find_postgresql()
    if binaries is None:
        raise FileNotFoundError("there is no PostgreSQL server, 13 or newer, on this machine")
    return binaries


def _account() -> str:
    names = {account.pw_name for account in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _refuse_a_closed_path(folder: Path, account: str) -> None:
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise StartFailed(f"PostgreSQL runs as {account}, who may not enter {parent}; choose a folder elsewhere")

"""A private PostgreSQL server."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from dev.install import find_postgresql
from dev.processes import Process, StartFailed, free_port, run_as
from dev.state import load_or_create

CONNECTIONS = {"max_connections": 200}  # several stacks of processes, each with a connection pool
# As in docker-compose.yml: room for the pages and for the WAL of a fan-out to a million recipients.
PRODUCTION_SETTINGS = {**CONNECTIONS, "shared_buffers": "512MB", "max_wal_size": "4GB"}
TEST_SETTINGS = {**CONNECTIONS, "shared_buffers": "64MB", "fsync": "off", "full_page_writes": "off"}


class PostgreSQL(Process):
    """A private PostgreSQL on 127.0.0.1; data, port and password survive restarts.

    With `fsync` it has production settings. Without, it is fast, and its data survive a crash of the process but not of
    the machine. `overrides` are server settings such as `unix_socket_directories`. PostgreSQL refuses to run as root,
    so root runs it under the account `postgres` or `nobody`.
    """

    def __init__(self, folder: Path, *, fsync: bool = False, **overrides: str) -> None:
        state = load_or_create(folder, port=free_port, password=secrets.token_hex)
        self.folder, self.data = folder, folder / "data"
        self.port, self.password = state["port"], state["password"]
        self.url = f"postgresql://belfry:{self.password}@127.0.0.1:{self.port}/postgres"
        self.account = _account() if os.geteuid() == 0 else None
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",  # the path of a socket could be too long
            **(PRODUCTION_SETTINGS if fsync else TEST_SETTINGS),
            **overrides,
        }
        command: list[str | Path] = [binaries() / "postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        super().__init__(
            "PostgreSQL",
            command,
            folder / "log",
            port=self.port,
            ready=self._accepts_connections,
            cwd=folder,
            user=self.account,
            stop_signal=signal.SIGINT,  # its "fast shutdown": does not wait for clients
        )

    def start(self) -> None:
        if self.account:
            shutil.chown(self.folder, self.account)
            _check_path(self.folder, self.account)
        if not (self.data / "PG_VERSION").exists():
            self.initialise()
        super().start()

    def initialise(self) -> None:
        password_file = self.folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        if self.account:
            shutil.chown(password_file, self.account)
        command: list[str | Path] = [binaries() / "initdb", "-D", self.data, "--username=belfry", "--no-sync"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--no-locale"]
        result = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, check=False, **run_as(self.account)
        )
        password_file.unlink()
        if result.returncode != 0:
            raise StartFailed(f"PostgreSQL could not create its data folder:\n{result.stdout}{result.stderr}")

    def _accepts_connections(self) -> bool:
        """Read the state in the pid file: with an open port, the server may still refuse clients while it starts up."""
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


def _check_path(folder: Path, account: str) -> None:
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise StartFailed(f"PostgreSQL runs as {account}, which may not enter {parent}; choose another folder")

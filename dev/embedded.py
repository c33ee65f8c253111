"""Services for a machine that has none: SQLite and an embedded broker, with their data in one folder."""

import fcntl
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.processes import StartFailed
from dev.redis import EmbeddedRedis
from dev.stack import ROOT, command_environment
from dev.state import load_or_create
from settings import load_settings

# The variables that tell a command which system to work on.
EXPORTED = ("DATABASE_URL", "BROKER_URL", "JWT_SECRET", "JWT_JWKS_URL", "JWT_AUDIENCE", "JWT_ISSUER")


class AlreadyRunning(Exception):
    """Another Belfry runs in this folder; the message names its process."""


@dataclass(frozen=True)
class Embedded:
    """The environment for a `Stack`, and the embedded broker, unless BROKER_URL names another."""

    environ: dict[str, str]
    broker: EmbeddedRedis | None


@contextmanager
def embedded(folder: Path, environ: Mapping[str, str]) -> Iterator[Embedded]:
    """Migrate the database and start the broker that a `Stack` needs, with their data in `folder`.

    DATABASE_URL and BROKER_URL in `environ` take precedence. Only this account can enter the folder; its `embedded.env`
    holds JWT_SECRET for `python -m api.tokens`. Raises `AlreadyRunning`, and `SettingsError` before it starts anything.
    """
    with ExitStack() as stack:
        stack.enter_context(locked(folder))
        nonempty = _without_empty(environ)
        merged = {"DATABASE_URL": f"sqlite:///{folder.resolve() / 'belfry.db'}", **_token_secret(folder, nonempty)}
        merged |= {name: value for name, value in environ.items() if value or name not in merged}
        load_settings({"BROKER_URL": "redis+socket:///to-be-started", **_without_empty(merged)})
        broker = None
        if not merged.get("BROKER_URL"):
            broker = stack.enter_context(EmbeddedRedis(folder / "broker.log"))
            merged["BROKER_URL"] = broker.url
        migrate(merged)
        yield Embedded(merged, broker)


def migrate(environ: Mapping[str, str]) -> None:
    """Migrate the database to the newest schema. Raises `StartFailed` with Alembic's output."""
    command = ["alembic", "upgrade", "head"]
    env = command_environment(environ)
    result = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise StartFailed(f"The database could not be migrated:\n{result.stdout}{result.stderr}".rstrip())


def _without_empty(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if value}


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock the folder, because two systems in one folder would share a database but not a broker.

    Creates the folder; only this account can enter it. Raises `AlreadyRunning`.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise AlreadyRunning(f"Belfry already runs in {folder} (process {lock.read().strip()}).") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _token_secret(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A secret that is kept in the folder, so that tokens survive restarts; none where `environ` names keys."""
    (folder / "embedded.env").unlink(missing_ok=True)
    if "JWT_SECRET" in environ or "JWT_JWKS_URL" in environ:
        return {}
    secret = str(load_or_create(folder, jwt_secret=lambda: secrets.token_urlsafe(32))["jwt_secret"])
    _write_private(folder / "embedded.env", f"JWT_SECRET={secret}\n")
    return {"JWT_SECRET": secret}


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)

"""What a machine without services runs on: SQLite and an embedded broker, in one folder."""

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
from dev.state import remembered
from settings import load_settings


class AlreadyRunning(Exception):
    """Another system lives in this folder; the message names its process."""


@dataclass(frozen=True)
class Embedded:
    """The environment for a `Stack`, and the broker that runs for it, if it is ours."""

    environ: dict[str, str]
    broker: EmbeddedRedis | None


@contextmanager
def embedded(folder: Path, environ: Mapping[str, str]) -> Iterator[Embedded]:
    """What a `Stack` needs, with its data in `folder`: the database migrated, the broker running.

    What `environ` sets is used instead: the same processes run on a PostgreSQL and a RabbitMQ by DATABASE_URL and
    BROKER_URL alone. The folder is this account's alone; its `embedded.env` tells `python -m api.tokens` the secret.
    Raises `SettingsError` before anything is started, and `AlreadyRunning`.
    """
    with ExitStack() as stack:
        stack.enter_context(alone(folder))
        given = _set(environ)
        found = {"DATABASE_URL": f"sqlite:///{folder.resolve() / 'belfry.db'}", **_secret(folder, given)}
        found |= {name: value for name, value in environ.items() if value or name not in found}
        load_settings({"BROKER_URL": "redis+socket:///to-be-started", **_set(found)})
        broker = None
        if not found.get("BROKER_URL"):
            broker = stack.enter_context(EmbeddedRedis(folder / "broker.log"))
            found["BROKER_URL"] = broker.url
        migrate(found)
        yield Embedded(found, broker)


def migrate(environ: Mapping[str, str]) -> None:
    """Bring the database to this version's schema. Raises `StartFailed` with what Alembic said."""
    command = ["alembic", "upgrade", "head"]
    env = command_environment(environ)
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"The database could not be migrated:\n{done.stdout}{done.stderr}".rstrip())


def _set(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if value}


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Two systems in one folder would share a database, and each announce to half of the screens.

    Makes the folder, for this account alone. Raises `AlreadyRunning`.
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


def _secret(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A secret of this folder's own, kept so that tokens hold over a restart; none where keys come from elsewhere."""
    (folder / "embedded.env").unlink(missing_ok=True)
    if "JWT_SECRET" in environ or "JWT_JWKS_URL" in environ:
        return {}
    secret = str(remembered(folder, jwt_secret=lambda: secrets.token_urlsafe(32))["jwt_secret"])
    _write_secretly(folder / "embedded.env", f"JWT_SECRET={secret}\n")
    return {"JWT_SECRET": secret}


def _write_secretly(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)

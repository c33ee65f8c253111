"""What a machine without services runs on: SQLite and an embedded broker, in one folder."""

import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ops.processes import StartFailed
from ops.redis import EmbeddedRedis
from ops.stack import ROOT, command_environment
from ops.state import remembered


@contextmanager
def embedded(folder: Path, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The environment for a `Stack` whose data lie in `folder`, its database migrated, its broker running.

    What `environ` sets is used instead: the same processes run on a PostgreSQL and a RabbitMQ by DATABASE_URL and
    BROKER_URL alone. The folder's `embedded.env` tells `python -m api.tokens` the secret.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        found = {"DATABASE_URL": f"sqlite:///{folder.resolve() / 'belfry.db'}", **_secret(folder, environ)}
        found |= {name: value for name, value in environ.items() if value or name not in found}
        if not found.get("BROKER_URL"):
            found["BROKER_URL"] = stack.enter_context(EmbeddedRedis(folder / "broker.log")).url
        _write_secretly(folder / "embedded.env", f"JWT_SECRET={found.get('JWT_SECRET', '')}\n")
        migrate(found)
        yield found


def migrate(environ: Mapping[str, str]) -> None:
    """Bring the database to this version's schema. Raises `StartFailed` with what Alembic said."""
    command = ["alembic", "upgrade", "head"]
    env = command_environment(environ)
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartFailed(f"The database could not be migrated:\n{done.stdout}{done.stderr}".rstrip())


def _secret(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A secret of this folder's own, kept so that tokens hold over a restart; none where keys come from elsewhere."""
    if environ.get("JWT_JWKS_URL"):
        return {}
    return {"JWT_SECRET": str(remembered(folder, jwt_secret=lambda: secrets.token_urlsafe(32))["jwt_secret"])}


def _write_secretly(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)

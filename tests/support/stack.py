"""The whole system as real processes, on the services that a test names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from auth.tokens import issue
from dev.embedded import migrate
from dev.processes import free_port
from dev.redis import EmbeddedRedis
from dev.services import temporary_folder
from dev.stack import Stack

SECRET = "a secret of the tests, longer than 32 bytes"


@contextmanager
def start_stack(
    folder: Path,
    database_url: str,
    broker_url: str,
    environ: Mapping[str, str] | None = None,
    more: Mapping[str, Mapping[str, str]] | None = None,
) -> Iterator[Stack]:
    """Migrate the database and run the processes of `Procfile` on free ports within the block.

    Their logs are in `folder`. `environ` is added to their environment; `more` adds processes, as in `Stack`.
    """
    api_port, push_port = free_port(), free_port()
    settings = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "JWT_SECRET": SECRET,
        "API_PORT": str(api_port),
        "PUSH_PORT": str(push_port),
        "PUBLIC_PUSH_URL": f"http://127.0.0.1:{push_port}",
        **(environ or {}),
    }
    migrate(settings)
    with Stack(folder, settings, more) as stack:
        yield stack


@contextmanager
def embedded_stack() -> Iterator[Stack]:
    """A separate system on SQLite and the embedded broker, in a temporary folder."""
    with (
        temporary_folder() as folder,
        EmbeddedRedis(folder / "redis.log") as broker,
        start_stack(folder, f"sqlite:///{folder}/belfry.db", broker.url) as stack,
    ):
        yield stack


def token_for(name: str, *scopes: str, ttl_seconds: float = 600) -> str:
    """A token that the stack accepts; its scope is `inbox` by default."""
    return issue(SECRET, name, scopes or ("inbox",), ttl_seconds)

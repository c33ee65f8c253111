"""Whatever is redelivered, cut, locked or refused, in whatever order it is tried: each batch keeps its order."""

import subprocess
import sys

import pytest

from dev.stack import ROOT, command_environment
from tests.models.conftest import migrate

ENVIRON = {"BROKER_URL": "amqp://host//", "JWT_SECRET": "x" * 32, "JWT_JWKS_URL": ""}


@pytest.mark.slow
@pytest.mark.parametrize("database", ["postgres_url", "sqlite_url"])
def test_workers_at_random_keep_the_order_of_every_batch(database: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(database)
    migrate(url)
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.deliverers", "20261128"],
        env=command_environment({**ENVIRON, "DATABASE_URL": url}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3_000:]

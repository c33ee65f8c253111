"""docker-compose.yml, read by docker-compose itself; it needs no engine for that."""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping
from tempfile import NamedTemporaryFile
from typing import Any

import yaml  # type: ignore[import-untyped]

from dev.install import find_compose
from dev.stack import ROOT

FILE = ROOT / "docker-compose.yml"
Service = dict[str, Any]


class Refused(Exception):
    """docker-compose does not take the file with this environment; the message is its own."""


def read_compose(environ: Mapping[str, str], env_text: str = "") -> dict[str, Service]:
    """The services, with variables from this environment and an .env file of this text. Raises `Refused`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with NamedTemporaryFile("w") as env_file:  # else it would read the .env of whoever runs the tests
        env_file.write(env_text)
        env_file.flush()
        command = [*(find_compose() or ["docker-compose"]), "--file", str(FILE), "--env-file", env_file.name, "config"]
        done = subprocess.run(command, env=kept | dict(environ), capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(done.stderr)
    services: dict[str, Service] = yaml.safe_load(done.stdout.replace("$$", "$"))["services"]
    return services


def variables() -> dict[str, str | None]:
    """Every variable that the file takes from outside, with the default it has there."""
    found = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?", FILE.read_text())
    return {name: default or None for name, default in found}


def command_of(service: Service) -> list[str]:
    return words(service["command"])


def health_check_of(service: Service) -> list[str]:
    """The command that tells whether the service is well, as Docker runs it."""
    match service["healthcheck"]["test"]:
        case ["CMD", *command]:
            return command
        case ["CMD-SHELL", line]:
            return ["/bin/sh", "-c", line]
        case other:
            raise ValueError(f"not a health check: {other}")


def words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else command

"""Read docker-compose.yml with docker-compose, which needs no engine for that."""

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


class ComposeError(Exception):
    """docker-compose rejects the file with this environment; the message is that of docker-compose."""


def read_compose(environ: Mapping[str, str], env_text: str = "") -> dict[str, Service]:
    """The services, with variables from this environment and an .env file with this text. Raises `ComposeError`."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with NamedTemporaryFile("w") as env_file:  # otherwise it would read the developer's .env
        env_file.write(env_text)
        env_file.flush()
        command = [*(find_compose() or ["docker-compose"]), "--file", str(FILE), "--env-file", env_file.name, "config"]
        result = subprocess.run(command, env=kept | dict(environ), capture_output=True, text=True, check=False)
    if result.returncode:
        raise ComposeError(result.stderr)
    services: dict[str, Service] = yaml.safe_load(result.stdout.replace("$$", "$"))["services"]
    return services


def variables() -> dict[str, str | None]:
    """Every variable that the file reads from the environment, with its default."""
    found = re.findall(r"\$\{([A-Z_]+)(?::-([^}]*))?", FILE.read_text())
    return {name: default or None for name, default in found}


def command_of(service: Service) -> list[str]:
    return words(service["command"])


def health_check_of(service: Service) -> list[str]:
    """The command of the service's health check, as Docker runs it."""
    match service["healthcheck"]["test"]:
        case ["CMD", *command]:
            return command
        case ["CMD-SHELL", line]:
            return ["/bin/sh", "-c", line]
        case other:
            raise ValueError(f"not a health check: {other}")


def words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else command

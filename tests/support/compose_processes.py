"""Run the services of docker-compose.yml without an engine: the same commands and environments, other addresses."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import requests
from psycopg import sql

from auth.tokens import issue
from dev.nginx import Nginx
from dev.processes import Process, free_port, wait_for
from dev.rabbitmq import RabbitMQ
from dev.services import temporary_folder
from dev.stack import ROOT
from tests.conftest import demand_service
from tests.support import image
from tests.support.compose import Service, command_of, health_check_of, read_compose
from tests.support.fresh import fresh_database, fresh_vhost

JWT_SECRET = "a secret of at least thirty-two bytes"
DATABASE_PASSWORD = "p@ss:/?#%$PATH & 'word'"  # .env.example allows any character
LONG_RUNNING = ("api", "worker", "beat", "push-1", "push-2")
NGINX_TEMPLATE = ROOT / "nginx" / "belfry.conf.template"


class ComposeProcesses:
    """Belfry's services, each a process in a folder with the files of the image."""

    def __init__(self, folder: Path, services: Mapping[str, Service], addresses: dict[str, str]) -> None:
        self.folder = folder
        self.services = services
        self.addresses = addresses
        self.ports = {name: free_port() for name in ("api", "push-1", "push-2", "nginx")}
        self.processes = {name: self._process(name) for name in LONG_RUNNING}
        image.copy_files(folder / "image")

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def localize(self, name: str, text: str) -> str:
        """A setting or argument of this service, with the addresses of the processes for those of containers."""
        own = {"api": ("8000", "api"), "nginx": ("8080", "nginx")}
        own |= {push: ("8001", push) for push in ("push-1", "push-2")}
        table = {f"{other}:{port} resolve": f"127.0.0.1:{self.ports[at]}" for other, (port, at) in own.items()}
        table |= {"0.0.0.0": "127.0.0.1"} | self.addresses
        if name in own:
            port, at = own[name]
            table[port] = str(self.ports[at])
        for container, local in table.items():
            text = re.sub(rf"(?<!\w){re.escape(container)}(?!\w)", lambda _, local=local: local, text)  # type: ignore[misc]
        return text

    def environment(self, name: str) -> dict[str, str]:
        """The environment of this service's container: the variables of the image and of the service, and HOSTNAME."""
        variables = {key: self.localize(name, str(value)) for key, value in self.services[name]["environment"].items()}
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        return {"PATH": path, "HOSTNAME": socket.gethostname(), **image.environment(), **variables}

    def run(self, name: str, command: list[str], timeout: float | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as in the service's container."""
        command = [self.localize(name, part) for part in command]
        return subprocess.run(
            command,
            env=self.environment(name),
            cwd=self.folder / "image",
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def is_healthy(self, name: str) -> bool:
        """Whether the service's health check succeeds; beat has none."""
        check = self.services[name].get("healthcheck")
        if check is None:
            return self.processes[name].running
        seconds = float(check["timeout"].removesuffix("s"))
        return self.run(name, health_check_of(self.services[name]), seconds).returncode == 0

    def start(self) -> None:
        """Start the services as docker compose does: run the migration first, then start all others."""
        migrated = self.run("migrate", command_of(self.services["migrate"]))
        assert migrated.returncode == 0, migrated.stderr
        with ThreadPoolExecutor() as pool:
            list(pool.map(Process.start, self.processes.values()))
        for name in LONG_RUNNING:
            wait_for(lambda name=name: self.is_healthy(name), 30, f"{name} to be healthy")  # type: ignore[misc]

    def _process(self, name: str) -> Process:
        service = self.services[name]
        command = [self.localize(name, part) for part in command_of(service)]
        log, cwd = self.folder / f"{name}.log", self.folder / "image"
        return Process(name, command, log, env=self.environment(name), cwd=cwd, port=self.ports.get(name))


@contextmanager
def compose_processes() -> Iterator[ComposeProcesses]:
    """Belfry's services with a fresh database and virtual host, all healthy."""
    with ExitStack() as stack, temporary_folder() as folder:
        database = stack.enter_context(fresh_database(demand_service("BELFRY_POSTGRES_URL")))
        role = stack.enter_context(_owner_of(database))
        broker = RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))
        vhost = urlsplit(stack.enter_context(fresh_vhost(broker)))
        secrets = {"POSTGRES_PASSWORD": DATABASE_PASSWORD, "RABBITMQ_PASSWORD": broker.password}
        services = read_compose(secrets | {"JWT_SECRET": JWT_SECRET})
        at = urlsplit(database)
        addresses = {
            "belfry@postgres:5432/belfry": f"{role}@{at.hostname}:{at.port}{at.path}",
            "rabbitmq:5672/belfry": f"{vhost.hostname}:{vhost.port}{vhost.path}",
        }
        system = ComposeProcesses(folder, services, addresses)
        for process in system.processes.values():
            stack.callback(process.stop)
        system.start()
        yield system


@contextmanager
def start_nginx(system: ComposeProcesses) -> Iterator[Nginx]:
    """nginx in front of the services, with the configuration that its container generates."""
    variables = system.environment("nginx") | {"NGINX_LOCAL_RESOLVERS": "127.0.0.1"}  # not used: there are no names
    configuration = re.sub(r"\$\{([A-Z_0-9]+)\}", lambda name: variables[name[1]], NGINX_TEMPLATE.read_text())
    configuration = configuration.replace("listen ", "listen 127.0.0.1:", 1)
    with Nginx(system.folder / "nginx", configuration, system.ports["nginx"]) as nginx:
        yield nginx


def token(sub: str, *scopes: str) -> str:
    return issue(JWT_SECRET, sub, list(scopes or ("inbox",)), 3600)


def bearer(sub: str, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(sub, *scopes)}"}


def publish(api_url: str, *recipients: str) -> str:
    """Publish a notification to these recipients; returns its id."""
    body = {"recipients": recipients, "kind": "order.shipped", "title": "On its way"}
    answer = requests.post(f"{api_url}/v1/notifications", json=body, headers=bearer("shop", "notify"), timeout=10)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def inbox(api_url: str, sub: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{api_url}/v1/inbox", headers=bearer(sub), timeout=10)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@contextmanager
def _owner_of(database_url: str) -> Iterator[str]:
    """A role that owns the database, like that of the PostgreSQL image; dropped afterwards."""
    role = f"belfry_{uuid4().hex}"
    name, owner = sql.Identifier(urlsplit(database_url).path[1:]), sql.Identifier(role)
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(DATABASE_PASSWORD)))
        admin.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, owner))
        try:
            yield role
        finally:
            admin.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(owner))
            admin.execute(sql.SQL("DROP OWNED BY {}").format(owner))
            admin.execute(sql.SQL("DROP ROLE {}").format(owner))

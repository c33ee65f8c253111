"""docker-compose.yml, Dockerfile, Procfile and .env.example agree, and the services run."""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from dev.postgresql import PRODUCTION_SETTINGS
from dev.stack import ROOT, answers, procfile
from settings import ALL, SettingsError, load_settings
from tests.support import image, wait_for
from tests.support.compose import ComposeError, Service, command_of, read_compose, variables
from tests.support.compose_processes import compose_processes, inbox, publish
from tests.support.screens import screens

SECRETS = {
    "POSTGRES_PASSWORD": "p@ss:/?#%$PATH & 'word'",
    "RABBITMQ_PASSWORD": "a-Z_0.9~",
    "JWT_SECRET": "a secret of at least thirty-two bytes",
}
EXAMPLE = (ROOT / ".env.example").read_text()


@pytest.fixture(scope="module")
def services() -> dict[str, Service]:
    return read_compose(SECRETS)


@pytest.mark.parametrize("name", SECRETS)
def test_a_missing_secret_is_refused_by_name(name: str) -> None:
    with pytest.raises(ComposeError, match=f"set {name}"):
        read_compose({other: value for other, value in SECRETS.items() if other != name})


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "RABBITMQ_PASSWORD"])
def test_an_empty_password_is_refused_by_name(name: str) -> None:
    with pytest.raises(ComposeError, match=f"set {name}"):
        read_compose({**SECRETS, name: ""})


def test_the_example_as_it_is_holds_no_password_that_would_start() -> None:
    with pytest.raises(ComposeError, match="set POSTGRES_PASSWORD"):
        read_compose({}, EXAMPLE)


def test_the_example_with_the_secrets_filled_in_is_enough(services: dict[str, Service]) -> None:
    text = EXAMPLE
    for name in SECRETS:
        text = text.replace(f"\n{name}=\n", f"\n{name}=filled in\n")
    assert read_compose({}, text).keys() == services.keys()


def test_the_example_names_every_variable_that_is_read_with_its_default() -> None:
    defaults = settings_defaults()
    outside = {name: default or "" for name, default in variables().items() if name not in defaults}
    assert example() == {**outside, **defaults}


def test_docker_compose_and_procfile_run_the_same_commands(services: dict[str, Service]) -> None:
    commands = {name: command_of(service) for name, service in services.items() if service["image"] == "belfry"}
    migrate = {"migrate": ["alembic", "upgrade", "head"]}
    once = {name.partition("-")[0] for name in commands.keys() - migrate.keys()}
    assert once == procfile().keys()
    assert commands == migrate | {name: procfile()[name.partition("-")[0]] for name in commands.keys() - migrate.keys()}
    assert {name for name in commands if name.startswith("push")} == {"push-1", "push-2"}


def test_nginx_is_the_only_door(services: dict[str, Service]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["nginx"]


def test_database_and_broker_are_made_with_what_the_processes_use(services: dict[str, Service]) -> None:
    database, broker, api = (services[name]["environment"] for name in ("postgres", "rabbitmq", "api"))
    assert api["DATABASE_URL"] == f"postgresql://{database['POSTGRES_USER']}@postgres:5432/{database['POSTGRES_DB']}"
    assert api["PGPASSWORD"] == database["POSTGRES_PASSWORD"] == SECRETS["POSTGRES_PASSWORD"]
    user, password = broker["RABBITMQ_DEFAULT_USER"], broker["RABBITMQ_DEFAULT_PASS"]
    assert api["BROKER_URL"] == f"amqp://{user}:{password}@rabbitmq:5672/{broker['RABBITMQ_DEFAULT_VHOST']}"


def test_the_database_is_set_up_as_the_one_that_is_measured(services: dict[str, Service]) -> None:
    settings = [f"-c {name}={value}" for name, value in PRODUCTION_SETTINGS.items()]
    assert command_of(services["postgres"]) == " ".join(["postgres", *settings]).split()


def test_who_does_not_touch_the_database_does_not_have_its_password(services: dict[str, Service]) -> None:
    holders = {name for name, service in services.items() if "PGPASSWORD" in service.get("environment", {})}
    assert holders == {"migrate", "api", "worker", "push-1", "push-2"}


def test_every_service_is_restarted_and_watched(services: dict[str, Service]) -> None:
    long_running = {name: service for name, service in services.items() if name != "migrate"}
    assert {service["restart"] for service in long_running.values()} == {"unless-stopped"}
    assert [name for name, service in long_running.items() if "healthcheck" not in service] == ["beat"]


def test_our_processes_can_write_nowhere_and_gain_nothing(services: dict[str, Service]) -> None:
    for name in ("migrate", "api", "worker", "beat", "push-1", "push-2", "nginx"):
        service = services[name]
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
    assert ["USER", "belfry"] in list(image.last_stage())
    assert services["nginx"]["user"] == "nginx"


def test_the_image_installs_every_package_that_its_code_imports(tmp_path: Path) -> None:
    image.copy_files(tmp_path)
    locked = set(re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE))
    distributions = packages_distributions()
    for path in tmp_path.rglob("*.py"):
        for package in third_party_imports(path, tmp_path):
            assert set(map(canonical, distributions[package])) & locked, f"{path} imports {package}"


@pytest.mark.slow
def test_one_notification_goes_all_the_way_through_the_services_as_docker_compose_starts_them() -> None:
    with compose_processes() as system:
        for name in ("push-1", "push-2"):
            wait_for(lambda name=name: answers(f"{system.url(name)}/readyz"), what=f"{name} to hear the broker")  # type: ignore[misc]
        with screens(1, system.url("push-1"), "bob") as one, screens(1, system.url("push-2"), "bob") as two:
            id_ = publish(system.url("api"), "bob")
            for screen in one + two:
                screen.expect(id_)
        assert [item["id"] for item in inbox(system.url("api"), "bob")] == [id_]


def test_with_neither_a_secret_nor_keys_every_process_says_so() -> None:
    environ = read_compose({**SECRETS, "JWT_SECRET": ""})["migrate"]["environment"]
    with pytest.raises(SettingsError, match="JWT_SECRET is not set"):
        load_settings(environ)


def settings_defaults() -> dict[str, str]:
    """Every variable that settings.py reads, with its default; required ones are empty."""
    required = {"DATABASE_URL": "sqlite:///x", "BROKER_URL": "redis://x", "JWT_SECRET": "x" * 32}
    settings = load_settings(required)
    values = {name: getattr(settings, name.lower()) for name in ALL - required.keys()}
    texts = {name: ",".join(value) if isinstance(value, tuple) else str(value or "") for name, value in values.items()}
    return {**dict.fromkeys(required, ""), **texts}


def example() -> dict[str, str]:
    """The variables of .env.example, set or commented out."""
    return dict(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def third_party_imports(path: Path, root: Path) -> Iterator[str]:
    """The top-level packages that a file imports from neither the standard library nor the image's folder."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
        tops = {name.partition(".")[0] for name in names} - sys.stdlib_module_names
        yield from (top for top in tops if not (root / top).exists() and not (root / f"{top}.py").exists())


def canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()

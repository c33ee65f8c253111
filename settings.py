"""The environment: `load_settings()` reads it once into a frozen `Settings`.

Only the entry points call it (each process's `__main__`, `workers.celery`, gunicorn's configuration, Alembic's env, the
operator's commands); everything below them receives values. All problems are reported together.

pydantic-settings is not used: its checks across fields run only when every field is valid, so that it does not report
all problems together; it accepts `API_PORT=1_000`; and it costs every worker and push server about 24 MiB of memory.
"""

import logging
import os
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass

from lib.broker_url import check_broker_url, check_redis_url
from lib.database_url import normalize_database_url
from lib.environment import Problems, choice, number, optional, read, used_by, variable, variables, with_sources
from lib.failpoints import FAILPOINTS
from lib.origins import parse_origins
from lib.ports import PORT_MAX, without_service_links
from lib.public_urls import parse_public_url
from lib.token_keys import token_problems
from lib.url_schemes import parse_schemes

log = logging.getLogger(__name__)

WAITING_MOST = 1_000  # about one second of work; requests beyond it would be answered too late
RATE_MAX = 1_000_000_000  # in effect no limit

_port = number("port number", 1, PORT_MAX)
_days = number("number of days", 1, 36_500)
_rate = number("number of requests a minute", 1, RATE_MAX)
_sockets = number("number of sockets", 1, 1_000_000)

# The processes that use a variable; each ignores what is wrong with all others. `command`: migrations and cli/.
_EVERY = {"command", "api", "push", "worker"}
_SERVICES = {"api", "push", "worker"}
_SERVERS = {"api", "push"}
_API, _PUSH, _WORKER = {"api"}, {"push"}, {"worker"}


class SettingsError(Exception):
    """The environment cannot be used; the message names each variable and what to set."""


@dataclass(frozen=True)
class Settings:
    database_url: str = variable(normalize_database_url, used_by=_EVERY)
    database_pooler: str = variable(choice("auto", "yes"), "auto", used_by=_EVERY)
    broker_url: str = variable(check_broker_url, used_by=_SERVICES)
    log_level: str = variable(choice("DEBUG", "INFO", "WARNING", "ERROR"), "INFO", used_by=_SERVICES)
    jwt_secret: str | None = variable(optional(str), used_by=_SERVERS)
    jwt_secret_previous: str | None = variable(optional(str), used_by=_SERVERS)
    jwt_jwks_url: str | None = variable(optional(str), used_by=_SERVERS)
    jwt_audience: str | None = variable(optional(str), used_by=_SERVERS)
    jwt_issuer: str | None = variable(optional(str), used_by=_SERVERS)
    jwt_leeway_seconds: int = variable(number("number of seconds", 0, 600), "30", used_by=_SERVERS)
    bind_host: str = variable(str, "127.0.0.1", used_by=_SERVERS)
    api_port: int = variable(_port, "8000", used_by=_API)
    push_port: int = variable(_port, "8001", used_by=_PUSH)
    public_api_url: str | None = variable(optional(parse_public_url), used_by=_API)
    public_push_url: str = variable(parse_public_url, "http://127.0.0.1:{push_port}", used_by=_API)
    cors_origins: tuple[str, ...] = variable(
        parse_origins, "http://127.0.0.1:{api_port},http://localhost:{api_port}", used_by=_SERVERS
    )
    url_schemes: tuple[str, ...] = variable(parse_schemes, used_by=_API)
    waiting_max: int = variable(number("number of requests", 1, WAITING_MOST), str(WAITING_MOST), used_by=_API)
    rate_limit_user: int = variable(_rate, "60000", used_by=_API)
    rate_limit_producer: int = variable(_rate, "600000", used_by=_API)
    rate_limit_redis_url: str | None = variable(optional(check_redis_url), used_by=_API)
    push_max_sockets: int = variable(_sockets, "15000", used_by=_PUSH)
    push_max_sockets_per_user: int = variable(_sockets, "100", used_by=_PUSH)
    retention_days: int = variable(_days, "90", used_by=_WORKER)
    changes_retention_days: int = variable(_days, "30", used_by=_WORKER)
    development: bool = variable(lambda text: text == "yes", used_by=_API | _WORKER)
    failpoint: str | None = variable(optional(choice(*FAILPOINTS)), used_by=_API | _WORKER)


# The variables that each process uses; it passes them to `load_settings`.
DATABASE = used_by(Settings, "command")
API = used_by(Settings, "api")
PUSH = used_by(Settings, "push")
WORKER = used_by(Settings, "worker")
ALL = frozenset(variables(Settings))


def load_settings(environ: Mapping[str, str] = os.environ, uses: Collection[str] = ALL) -> Settings:
    """Read the environment. Raises `SettingsError` that lists every problem with the variables in `uses`.

    Problems with other variables are ignored; their fields hold the defaults.
    """
    problems = Problems(with_sources(Settings, environ, uses))
    settings = read(Settings, _without_service_links(environ, problems.used), problems)
    _check_together(settings, problems)
    if problems.messages:
        raise SettingsError("Belfry cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems.messages))
    return settings


def _without_service_links(environ: Mapping[str, str], used: Set[str]) -> dict[str, str]:
    kept = without_service_links(environ)
    for name in sorted(environ.keys() - kept.keys() & used):
        default = variables(Settings)[name].default
        log.warning("port_ignored variable=%s value=%s set_by=kubernetes_service used=%s", name, environ[name], default)
    return kept


def _check_together(settings: Settings, problems: Problems) -> None:
    """Check what depends on several variables."""
    keys = settings.jwt_secret, settings.jwt_secret_previous, settings.jwt_jwks_url
    problems.add("JWT_SECRET", *token_problems(*keys))
    if settings.failpoint and not settings.development:
        advice = "set it only in tests, with DEVELOPMENT=yes"
        problems.add("FAILPOINT", f"FAILPOINT is set, which kills processes; {advice}")
    if settings.api_port == settings.push_port and {"API_PORT", "PUSH_PORT"} <= problems.used:
        same = f"API_PORT and PUSH_PORT are both {settings.api_port}"
        problems.add("API_PORT", f"{same}; set two different ports")

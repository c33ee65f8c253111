"""The environment, read once: `load_settings()` turns it into one frozen `Settings`.

Only the entry points (a process's `__main__`, `workers.celery`, gunicorn's configuration, Alembic's env) call it;
everything below them receives values. What is missing or unsafe is refused here, all of it at once, in words.
"""

import logging
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from lib.broker_url import REDIS_SCHEMES, SCHEMES, BrokerUrlError, parse_broker_url
from lib.database_url import InvalidDatabaseUrl, normalized
from lib.origins import InvalidOrigin, normalize_origin
from lib.ports import is_service_link
from lib.public_urls import normalize_public_url
from lib.token_keys import token_problems
from lib.url_schemes import parse_schemes

log = logging.getLogger(__name__)

PORT_MAX = 65_535
DAYS_MAX = 36_500
WAITING_MOST = 1_000  # about a second's work: who comes beyond would be answered too late
RATE_MAX = 1_000_000_000  # as good as none
SOCKETS_MAX = 1_000_000
LEEWAY_MAX = 600
FAILPOINTS = ("accepted", "enqueued", "delivered", "announced")  # lib/failpoints.py says what they are

# The variables that each process uses. It ignores what is wrong with all others.
DATABASE = frozenset({"DATABASE_URL", "DATABASE_POOLER"})  # migrations and the operator's commands
_TOKENS = {f"JWT_{name}" for name in ("SECRET", "SECRET_PREVIOUS", "JWKS_URL", "AUDIENCE", "ISSUER", "LEEWAY_SECONDS")}
_SERVER = DATABASE | _TOKENS | {"BROKER_URL", "BIND_HOST", "CORS_ORIGINS", "LOG_LEVEL"}
_TESTS = {"DEVELOPMENT", "FAILPOINT"}
_LIMITS = {"WAITING_MAX", "RATE_LIMIT_USER", "RATE_LIMIT_PRODUCER", "RATE_LIMIT_REDIS_URL"}
API = _SERVER | _TESTS | _LIMITS | {"API_PORT", "PUBLIC_API_URL", "PUBLIC_PUSH_URL", "URL_SCHEMES"}
PUSH = _SERVER | {"PUSH_PORT", "PUSH_MAX_SOCKETS", "PUSH_MAX_SOCKETS_PER_USER"}
WORKER = DATABASE | _TESTS | {"BROKER_URL", "LOG_LEVEL", "RETENTION_DAYS", "CHANGES_RETENTION_DAYS"}
ALL = API | PUSH | WORKER
_DEFAULT_FROM = {"PUBLIC_PUSH_URL": "PUSH_PORT", "CORS_ORIGINS": "API_PORT"}  # where the first is not set


class SettingsError(Exception):
    """The environment is unusable; the message names each variable and what to set."""


@dataclass(frozen=True)
class Settings:
    database_url: str
    database_pooler: str
    broker_url: str
    jwt_secret: str | None
    jwt_secret_previous: str | None
    jwt_jwks_url: str | None
    jwt_audience: str | None
    jwt_issuer: str | None
    jwt_leeway_seconds: int
    bind_host: str
    api_port: int
    push_port: int
    public_api_url: str | None
    public_push_url: str
    cors_origins: tuple[str, ...]
    url_schemes: tuple[str, ...]
    log_level: str
    waiting_max: int
    rate_limit_user: int
    rate_limit_producer: int
    rate_limit_redis_url: str | None
    push_max_sockets: int
    push_max_sockets_per_user: int
    retention_days: int
    changes_retention_days: int
    development: bool
    failpoint: str | None


def load_settings(environ: Mapping[str, str] = os.environ, uses: Collection[str] = ALL) -> Settings:
    """Read the environment. Raises `SettingsError` that lists every problem with the variables in `uses`.

    What is wrong with another variable is ignored: its field holds the default, or the unusable text.
    """
    derived = {port for name, port in _DEFAULT_FROM.items() if name in uses and not environ.get(name)}
    reader = _Reader(environ, {*uses, *derived})
    api_port = reader.number("API_PORT", 8000, PORT_MAX, "port number")
    push_port = reader.number("PUSH_PORT", 8001, PORT_MAX, "port number")
    own_origins = f"http://127.0.0.1:{api_port},http://localhost:{api_port}"
    settings = Settings(
        database_url=reader.database_url("DATABASE_URL"),
        database_pooler=reader.choice("DATABASE_POOLER", "auto", ("auto", "yes")),
        broker_url=reader.broker("BROKER_URL", SCHEMES),
        jwt_secret=environ.get("JWT_SECRET") or None,
        jwt_secret_previous=environ.get("JWT_SECRET_PREVIOUS") or None,
        jwt_jwks_url=environ.get("JWT_JWKS_URL") or None,
        jwt_audience=environ.get("JWT_AUDIENCE") or None,
        jwt_issuer=environ.get("JWT_ISSUER") or None,
        jwt_leeway_seconds=reader.number("JWT_LEEWAY_SECONDS", 30, LEEWAY_MAX, "number of seconds", least=0),
        bind_host=environ.get("BIND_HOST") or "127.0.0.1",
        api_port=api_port,
        push_port=push_port,
        public_api_url=reader.public_url("PUBLIC_API_URL", "") or None,
        public_push_url=reader.public_url("PUBLIC_PUSH_URL", f"http://127.0.0.1:{push_port}"),
        cors_origins=reader.origins("CORS_ORIGINS", own_origins),
        url_schemes=reader.schemes("URL_SCHEMES"),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        waiting_max=reader.number("WAITING_MAX", WAITING_MOST, WAITING_MOST, "number of requests"),
        rate_limit_user=reader.number("RATE_LIMIT_USER", 60_000, RATE_MAX, "number of requests a minute"),
        rate_limit_producer=reader.number("RATE_LIMIT_PRODUCER", 600_000, RATE_MAX, "number of requests a minute"),
        rate_limit_redis_url=reader.broker("RATE_LIMIT_REDIS_URL", REDIS_SCHEMES, needed=False) or None,
        push_max_sockets=reader.number("PUSH_MAX_SOCKETS", 15_000, SOCKETS_MAX, "number of sockets"),
        push_max_sockets_per_user=reader.number("PUSH_MAX_SOCKETS_PER_USER", 100, SOCKETS_MAX, "number of sockets"),
        retention_days=reader.number("RETENTION_DAYS", 90, DAYS_MAX, "number of days"),
        changes_retention_days=reader.number("CHANGES_RETENTION_DAYS", 30, DAYS_MAX, "number of days"),
        development=environ.get("DEVELOPMENT") == "yes",
        failpoint=environ.get("FAILPOINT") or None,
    )
    reader.complain(
        "JWT_SECRET", *token_problems(settings.jwt_secret, settings.jwt_secret_previous, settings.jwt_jwks_url)
    )
    reader.complain("FAILPOINT", *_failpoint_problems(settings.failpoint, settings.development))
    if api_port == push_port and {"API_PORT", "PUSH_PORT"} <= reader.uses:
        reader.complain("API_PORT", f"API_PORT and PUSH_PORT are both {api_port}; set two different ports")
    if reader.problems:
        raise SettingsError("Belfry cannot start:\n" + "\n".join(f"  - {problem}" for problem in reader.problems))
    return settings


class _Reader:
    """Reads one variable at a time and collects what is wrong instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str], uses: set[str]) -> None:
        self.environ = environ
        self.uses = uses
        self.problems: list[str] = []

    def complain(self, name: str, *problems: str) -> None:
        if name in self.uses:
            self.problems += problems

    def number(self, name: str, default: int, most: int, what: str, least: int = 1) -> int:
        text = self.environ.get(name, "").strip() or str(default)
        if name.endswith("_PORT") and is_service_link(text):
            if name in self.uses:
                log.warning("port_ignored variable=%s value=%s set_by=kubernetes_service used=%d", name, text, default)
            return default
        if text.isascii() and text.isdigit() and least <= int(text) <= most:
            return int(text)
        self.complain(name, f"{name} is {text!r}; set a {what} from {least} to {most}")
        return default

    def broker(self, name: str, schemes: tuple[str, ...], *, needed: bool = True) -> str:
        text = self.environ.get(name, "")
        allowed = ", ".join(f"{scheme}://" for scheme in sorted(schemes))
        if not text and needed:
            self.complain(name, f"{name} is not set; set a URL that begins with one of {allowed}")
        try:
            if text:
                parse_broker_url(text, schemes)
        except BrokerUrlError as error:
            self.complain(name, f"{name} {error}")
        return text

    def database_url(self, name: str) -> str:
        try:
            return normalized(self.environ.get(name, ""))
        except InvalidDatabaseUrl as refusal:
            self.complain(name, f"{name} {refusal}")
            return ""

    def origins(self, name: str, default: str) -> tuple[str, ...]:
        listed = (part.strip().rstrip("/") for part in (self.environ.get(name) or default).split(","))
        advice = "list origins such as https://app.example.com or capacitor://localhost"
        origins = (self._converted(name, normalize_origin, origin, "holds", advice) for origin in listed if origin)
        return tuple(dict.fromkeys(origins))

    def public_url(self, name: str, default: str) -> str:
        text = (self.environ.get(name) or default).strip()
        advice = "set an address such as https://belfry.example.com or https://example.com/belfry"
        return self._converted(name, normalize_public_url, text, "is", advice) if text else ""

    def schemes(self, name: str) -> tuple[str, ...]:
        try:
            return parse_schemes(self.environ.get(name, ""))
        except ValueError as error:
            self.complain(name, f"{name} {error}; list schemes of apps such as myapp,com.example.app")
            return ()

    def _converted(self, name: str, convert: Callable[[str], str], text: str, verb: str, advice: str) -> str:
        try:
            return convert(text)
        except InvalidOrigin as error:
            shown = "an address" if "@" in text else repr(text)  # it may hold a password
            self.complain(name, f"{name} {verb} {shown}, which {error}; {advice}")
            return text

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.environ.get(name) or default
        if text not in allowed:
            self.complain(name, f"{name} is {text!r}; set one of {', '.join(allowed)}")
        return text


def _failpoint_problems(failpoint: str | None, development: bool) -> list[str]:
    if failpoint and failpoint not in FAILPOINTS:
        return [f"FAILPOINT is {failpoint!r}; set none, or one of {', '.join(FAILPOINTS)}"]
    if failpoint and not development:
        return ["FAILPOINT is set, which kills processes; set it only in tests, with DEVELOPMENT=yes"]
    return []

"""The environment, read once: `load_settings()` turns it into one frozen `Settings`.

Only the entry points (a process's `__main__`, `workers.celery`, gunicorn's configuration, Alembic's env) call it;
everything below them receives values. What is missing or unsafe is refused here, all of it at once, in words.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

JWT_SECRET_MIN_BYTES = 32  # RFC 7518 §3.2: an HS256 key must be at least as long as its hash
PORT_MAX = 65_535
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DAYS_MAX = 36_500
WAITING_MOST = 1_000  # about a second's work: who comes beyond would be answered too late
RATE_MAX = 1_000_000_000  # as good as none
SOCKETS_MAX = 1_000_000
FAILPOINTS = ("accepted", "enqueued", "delivered", "announced")  # lib/failpoints.py says what they are
DATABASE_SCHEMES = {"postgresql", "postgresql+psycopg", "postgres", "sqlite"}
REDIS_SCHEMES = {"redis", "rediss", "redis+socket"}
BROKER_SCHEMES = {"amqp", "amqps", *REDIS_SCHEMES}


class SettingsError(Exception):
    """The environment is unusable; the message names each variable and what to set."""


@dataclass(frozen=True)
class Settings:
    database_url: str
    broker_url: str
    jwt_secret: str | None
    jwt_jwks_url: str | None
    jwt_audience: str | None
    jwt_issuer: str | None
    bind_host: str
    api_port: int
    push_port: int
    public_push_url: str
    cors_origins: tuple[str, ...]
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


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the environment. Raises `SettingsError` that lists every problem found."""
    problems: list[str] = []
    reader = _Reader(environ, problems)
    api_port = reader.number("API_PORT", 8000, PORT_MAX, "port number")
    push_port = reader.number("PUSH_PORT", 8001, PORT_MAX, "port number")
    own_origins = f"http://127.0.0.1:{api_port},http://localhost:{api_port}"
    settings = Settings(
        database_url=_use_psycopg(reader.url("DATABASE_URL", DATABASE_SCHEMES)),
        broker_url=reader.url("BROKER_URL", BROKER_SCHEMES),
        jwt_secret=environ.get("JWT_SECRET") or None,
        jwt_jwks_url=environ.get("JWT_JWKS_URL") or None,
        jwt_audience=environ.get("JWT_AUDIENCE") or None,
        jwt_issuer=environ.get("JWT_ISSUER") or None,
        bind_host=environ.get("BIND_HOST") or "127.0.0.1",
        api_port=api_port,
        push_port=push_port,
        public_push_url=reader.origin("PUBLIC_PUSH_URL", f"http://127.0.0.1:{push_port}"),
        cors_origins=reader.origins("CORS_ORIGINS", own_origins),
        log_level=reader.choice("LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR")),
        waiting_max=reader.number("WAITING_MAX", WAITING_MOST, WAITING_MOST, "number of requests"),
        rate_limit_user=reader.number("RATE_LIMIT_USER", 60_000, RATE_MAX, "number of requests a minute"),
        rate_limit_producer=reader.number("RATE_LIMIT_PRODUCER", 600_000, RATE_MAX, "number of requests a minute"),
        rate_limit_redis_url=reader.url("RATE_LIMIT_REDIS_URL", REDIS_SCHEMES, needed=False) or None,
        push_max_sockets=reader.number("PUSH_MAX_SOCKETS", 15_000, SOCKETS_MAX, "number of sockets"),
        push_max_sockets_per_user=reader.number("PUSH_MAX_SOCKETS_PER_USER", 100, SOCKETS_MAX, "number of sockets"),
        retention_days=reader.number("RETENTION_DAYS", 90, DAYS_MAX, "number of days"),
        changes_retention_days=reader.number("CHANGES_RETENTION_DAYS", 30, DAYS_MAX, "number of days"),
        development=environ.get("DEVELOPMENT") == "yes",
        failpoint=environ.get("FAILPOINT") or None,
    )
    problems += _token_problems(settings.jwt_secret, settings.jwt_jwks_url)
    problems += _failpoint_problems(settings.failpoint, settings.development)
    if api_port == push_port:
        problems.append(f"API_PORT and PUSH_PORT are both {api_port}; set two different ports")
    if problems:
        raise SettingsError("Belfry cannot start:\n" + "\n".join(f"  - {problem}" for problem in problems))
    return settings


class _Reader:
    """Reads one variable at a time and collects what is wrong instead of stopping at the first."""

    def __init__(self, environ: Mapping[str, str], problems: list[str]) -> None:
        self.environ = environ
        self.problems = problems

    def number(self, name: str, default: int, most: int, what: str) -> int:
        text = self.environ.get(name) or str(default)
        if text.isascii() and text.isdigit() and 0 < int(text) <= most:
            return int(text)
        self.problems.append(f"{name} is {text!r}; set a {what} from 1 to {most}")
        return default

    def url(self, name: str, schemes: set[str], *, needed: bool = True) -> str:
        text = self.environ.get(name, "")
        allowed = ", ".join(f"{scheme}://" for scheme in sorted(schemes))
        if not text and not needed:
            return text
        if not text:
            self.problems.append(f"{name} is not set; set a URL that begins with one of {allowed}")
        elif text.partition("://")[0] not in schemes or not _names_a_place(text):
            self.problems.append(f"{name} is not a usable URL; set one that begins with one of {allowed}")
        return text

    def origins(self, name: str, default: str) -> tuple[str, ...]:
        text = self.environ.get(name) or default
        origins = tuple(part.strip().rstrip("/") for part in text.split(",") if part.strip())
        for origin in origins:
            if not _is_origin(origin):
                self.problems.append(f"{name} holds {origin!r}; list origins such as https://app.example.com")
        return origins

    def origin(self, name: str, default: str) -> str:
        text = (self.environ.get(name) or default).rstrip("/")
        if not _is_origin(text):
            self.problems.append(f"{name} is {text!r}; set an address such as https://push.example.com, without a path")
        return text

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        text = self.environ.get(name) or default
        if text not in allowed:
            self.problems.append(f"{name} is {text!r}; set one of {', '.join(allowed)}")
        return text


def _names_a_place(url: str) -> bool:
    """A host for network services, a path for local ones; a password in the URL is never repeated in an error."""
    try:
        parts = urlsplit(url)
        port_is_a_number = parts.port is None or parts.port > 0
    except ValueError:
        return False
    if parts.scheme in ("sqlite", "redis+socket"):
        return bool(parts.path.strip("/")) and ":memory:" not in url  # each process would have a database of its own
    return bool(parts.hostname) and port_is_a_number


def _is_origin(text: str) -> bool:
    """Scheme, host and perhaps a port: nothing that a page's policy could take for more."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    bare = text == f"{parts.scheme}://{parts.netloc}" and "@" not in text
    return parts.scheme in ("http", "https") and named and bare and not set(text) & set("*;,'\" \t\n")


def _use_psycopg(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg://{rest}" if scheme in ("postgres", "postgresql") else url


def _token_problems(secret: str | None, jwks_url: str | None) -> list[str]:
    if secret and jwks_url:
        return ["JWT_SECRET and JWT_JWKS_URL are both set; set one: a deployment trusts one family of algorithms"]
    if jwks_url:
        return [] if _is_keys_address(jwks_url) else ["JWT_JWKS_URL is not a usable URL; set an https:// address"]
    if not secret:
        return ["JWT_SECRET is not set; set a random one, such as the output of: openssl rand -base64 32"]
    if len(secret.encode(errors="replace")) < JWT_SECRET_MIN_BYTES:
        return [f"JWT_SECRET is shorter than {JWT_SECRET_MIN_BYTES} bytes; set one such as: openssl rand -base64 32"]
    return []


def _failpoint_problems(failpoint: str | None, development: bool) -> list[str]:
    if failpoint and failpoint not in FAILPOINTS:
        return [f"FAILPOINT is {failpoint!r}; set none, or one of {', '.join(FAILPOINTS)}"]
    if failpoint and not development:
        return ["FAILPOINT is set, which kills processes; set it only in tests, with DEVELOPMENT=yes"]
    return []


def _is_keys_address(url: str) -> bool:
    """Keys that came over the network in clear could be anybody's; on this machine they may."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme == "file":
        return bool(parts.path.strip("/"))
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))

"""Parse DATABASE_URL into the parameters of libpq."""

import re
from dataclasses import dataclass

import psycopg
from psycopg.conninfo import conninfo_to_dict

from lib.environment import InvalidSetting
from lib.ports import PORT_MAX

POSTGRESQL_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")
CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "primary"),
}
STANDBY_CHOICES = ("read-only", "standby", "prefer-standby")  # values of target_session_attrs
STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)  # PostgreSQL splits `options` at spaces; a backslash escapes one
SETTING = re.compile(r"(?:-c|--)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)
ENCODE = "in user and password, percent-encode what is not a letter, a digit or one of - . _ ~"


class InvalidDatabaseUrl(InvalidSetting):
    """The URL cannot be used. The message says what to set, and never repeats the URL, which has a password."""


@dataclass(frozen=True)
class PostgresqlUrl:
    """`parameters` are those of libpq. `settings` are server settings, from `-c name=value` in the URL's `options`.

    They are separate because poolers reject or drop `options` when a connection starts.
    """

    parameters: dict[str, str]
    settings: dict[str, str]


def normalize_database_url(url: str) -> str:
    """The URL with the scheme that SQLAlchemy expects. Raises `InvalidDatabaseUrl`."""
    scheme, _, rest = url.partition("://")
    if is_postgresql(url):
        parse_postgresql(url)
        return f"postgresql+psycopg://{rest}"
    allowed = ", ".join(f"{one}://" for one in (*POSTGRESQL_SCHEMES, "sqlite"))
    if not url:
        raise InvalidDatabaseUrl(f"is not set; set a URL that begins with one of {allowed}")
    if scheme != "sqlite" or not rest.strip("/") or ":memory:" in rest:  # each process would have its own
        raise InvalidDatabaseUrl(f"is not a usable URL; set one that begins with one of {allowed} and names a place")
    return url


def is_postgresql(url: str) -> bool:
    return url.partition("://")[0] in POSTGRESQL_SCHEMES


def parse_postgresql(url: str) -> PostgresqlUrl:
    """Everything libpq accepts: unix sockets, several hosts, IPv6, any parameter. Raises `InvalidDatabaseUrl`."""
    parameters = _parameters(url.partition("://")[2])
    if not parameters.get("host") and not parameters.get("hostaddr") and not parameters.get("dbname"):
        raise _unusable("it names neither a host nor a database; set postgresql://user:password@host:5432/name")
    _check_hosts(parameters)
    for name, allowed in CHOICES.items():
        value = parameters.get(name, allowed[0])
        if value not in allowed:
            problem = "asks for a standby, and Belfry writes" if value in STANDBY_CHOICES else "is unknown"
            raise _unusable(f"its {name} {problem}; set one of {', '.join(allowed)}")
    rest, settings = _split_options(parameters.pop("options", ""))
    return PostgresqlUrl(parameters | ({"options": rest} if rest else {}), settings)


def _parameters(rest: str) -> dict[str, str]:
    try:
        found = conninfo_to_dict(f"postgresql://{STRAY_PERCENT.sub('%25', rest)}")
    except psycopg.Error as error:  # its message and its context may hold the password
        unknown = "@" not in rest.partition("?")[2] and re.search(r'query parameter: "(\w+)"', str(error))
        reason = f"libpq has no parameter {unknown[1]!r}; set only those that it has" if unknown else _malformed()
    else:
        return {name: str(value) for name, value in found.items()}
    raise _unusable(reason)


def _malformed() -> str:
    return f"it cannot be read; set postgresql://user:password@host:5432/name, and {ENCODE}"


def _check_hosts(parameters: dict[str, str]) -> None:
    if "@" in parameters.get("host", ""):
        raise _unusable(f"it has more than one @; set it again, and {ENCODE}")
    hosts = (parameters.get("hostaddr") or parameters.get("host", "")).split(",")
    ports = parameters.get("port", "").split(",")
    if not all(not port or _is_port(port) for port in ports):
        raise _unusable(f"a port is no number from 1 to {PORT_MAX}; set one, and {ENCODE}")
    if len(ports) not in (1, len(hosts)):
        raise _unusable("hosts and ports differ in number; set one port for each host, or one for all")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) <= PORT_MAX


def _split_options(options: str) -> tuple[str, dict[str, str]]:
    """The `options` that must be sent when a connection starts, and the settings that can be set later."""
    rest, settings = [], {}
    words = WORD.findall(re.sub(r"(^|\s)-c\s+", r"\1-c", options))
    for word in words:
        if setting := SETTING.fullmatch(re.sub(r"\\(.)", r"\1", word)):
            settings[setting[1].replace("-", "_")] = setting[2]
        else:
            rest.append(word)
    return " ".join(rest), settings


def _unusable(reason: str) -> InvalidDatabaseUrl:
    return InvalidDatabaseUrl(f"is not a usable URL: {reason}")

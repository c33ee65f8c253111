"""Parse BROKER_URL and RATE_LIMIT_REDIS_URL for Celery, the announcer, the push server and the rate limits.

    amqp://user:password@host:5672/vhost        amqps:// for TLS; nodes of one cluster separated by ";"
    redis://:password@host:6379/0               rediss:// for TLS; redis+socket:///path for a Unix socket
    sentinel://:password@host1:26379;sentinel://host2:26379/0?master_name=belfry

With TLS, the server's certificate and host name are verified, unless the URL has `ssl_cert_reqs=none`.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from lib.environment import InvalidSetting

SEPARATOR = ";"
AMQP_SCHEMES = ("amqp", "amqps")
REDIS_SCHEMES = ("redis", "rediss", "redis+socket", "sentinel")
SCHEMES = (*AMQP_SCHEMES, *REDIS_SCHEMES)
SENTINEL_PORT = 26379

TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "amqp": (),
    "amqps": TLS_OPTIONS,
    "redis": (),
    "rediss": TLS_OPTIONS,
    "redis+socket": ("virtual_host",),
    "sentinel": ("master_name", "sentinel_password", "ssl", *TLS_OPTIONS),
}
# Spellings of ssl_cert_reqs that Celery and redis-py take. A client verifies with CERT_OPTIONAL as with CERT_REQUIRED.
SYNONYMS = {"CERT_REQUIRED": "required", "CERT_OPTIONAL": "required", "optional": "required", "CERT_NONE": "none"}
CHOICES = {"ssl_cert_reqs": ("required", "none"), "ssl_check_hostname": ("true", "false"), "ssl": ("true", "false")}


class InvalidBrokerUrl(InvalidSetting):
    """The URL cannot be used. The message says what to set, and repeats nothing that may be a password."""


@dataclass(frozen=True)
class BrokerUrl:
    """A broker in the form that kombu accepts: `kombu.Connection(url, ssl=tls, transport_options=…)`."""

    scheme: str
    hosts: tuple[SplitResult, ...]
    options: Mapping[str, str]

    @property
    def is_amqp(self) -> bool:
        return self.scheme in AMQP_SCHEMES

    @property
    def url(self) -> str:
        """All hosts, without the options, which kombu takes as `ssl` and `transport_options`."""
        if self.scheme == "redis+socket":
            return f"{_plain(self.hosts[0])}?virtual_host={self.database}"
        if self.scheme != "sentinel":
            return SEPARATOR.join(_plain(host) for host in self.hosts)
        path = self.hosts[-1].path  # the last URL names the database
        return SEPARATOR.join(f"sentinel://{self._credentials}{_address(host)}{path}" for host in self.hosts)

    @property
    def tls(self) -> dict[str, Any] | bool:
        """Kombu's `ssl`; False without TLS."""
        if self.scheme not in ("amqps", "rediss") and self.options.get("ssl") != "true":
            return False
        return self._amqp_tls() if self.is_amqp else self.redis_tls()

    @property
    def transport_options(self) -> dict[str, Any]:
        """Kombu's `transport_options`."""
        if self.scheme != "sentinel":
            return {}
        return {"master_name": self.options["master_name"], "sentinel_kwargs": self.sentinel_options}

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """The options with which redis-py connects to the Sentinels."""
        password = self.options.get("sentinel_password")
        tls = {"ssl": True, **self.redis_tls()} if self.tls else {}
        return {**({"password": password} if password else {}), **tls}

    @property
    def redis_url(self) -> str:
        """The URL of one Redis as redis-py writes it, without options."""
        return _plain(self.hosts[0]).replace("redis+socket://", "unix://", 1)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """The hosts and ports of the Sentinels."""
        return [(host.hostname or "", host.port or SENTINEL_PORT) for host in self.hosts]

    @property
    def password(self) -> str | None:
        password = next((host.password for host in self.hosts if host.password), None)
        return None if password is None else unquote(password)

    @property
    def username(self) -> str | None:
        return next((unquote(host.username) for host in self.hosts if host.username), None)

    @property
    def database(self) -> int:
        """The number of the Redis database."""
        number = self.options.get("virtual_host", "") if self.scheme == "redis+socket" else self.hosts[-1].path
        return int(number.strip("/") or 0)

    def redis_tls(self) -> dict[str, Any]:
        """TLS options of redis-py, which kombu's Redis transport accepts too."""
        files = {name: self.options[name] for name in TLS_OPTIONS[:3] if name in self.options}
        return {"ssl_cert_reqs": self._verification, "ssl_check_hostname": self._checks_name, **files}

    def _amqp_tls(self) -> dict[str, Any]:
        files = {name.removeprefix("ssl_"): self.options[name] for name in TLS_OPTIONS[:3] if name in self.options}
        verification = ssl.CERT_REQUIRED if self._verification == "required" else ssl.CERT_NONE
        name = {"server_hostname": None} if self._checks_name else {}  # None: the host that it connects to
        return {"cert_reqs": verification, **name, **files}

    @property
    def _verification(self) -> str:
        return self.options.get("ssl_cert_reqs", "required")

    @property
    def _checks_name(self) -> bool:
        return self._verification == "required" and self.options.get("ssl_check_hostname") != "false"

    @property
    def _credentials(self) -> str:
        """User and password of Redis, not of the Sentinels, from the first URL that has them."""
        named = (host.netloc.rpartition("@") for host in self.hosts)
        return next((f"{credentials}@" for credentials, at, _ in named if at), "")


def check_broker_url(text: str) -> str:
    """Return the URL of a broker unchanged. Raises `InvalidBrokerUrl`."""
    if not text:
        raise InvalidBrokerUrl(f"is not set; set a URL that begins with one of {_listed(SCHEMES)}")
    parse_broker_url(text)
    return text


def check_redis_url(text: str) -> str:
    """Return the URL of a Redis unchanged. Raises `InvalidBrokerUrl`."""
    parse_broker_url(text, REDIS_SCHEMES)
    return text


def parse_broker_url(text: str, schemes: tuple[str, ...] = SCHEMES) -> BrokerUrl:
    """Parse a URL, or several separated by semicolons. Raises `InvalidBrokerUrl`."""
    hosts = tuple(_split(part.strip(), schemes) for part in text.split(SEPARATOR))
    scheme = hosts[0].scheme
    if any(host.scheme != scheme for host in hosts):
        raise InvalidBrokerUrl("names several brokers with different schemes; set URLs of one scheme")
    if len(hosts) > 1 and scheme in ("redis", "rediss", "redis+socket"):
        # One process would send tasks to the first while another waits for them at the second.
        raise InvalidBrokerUrl("names several Redis servers, which do not share their queues; set sentinel:// URLs")
    url = BrokerUrl(scheme, hosts, _options(scheme, hosts))
    _check_database(url)
    return url


def _split(text: str, schemes: tuple[str, ...]) -> SplitResult:
    unusable = InvalidBrokerUrl(f"is not a usable URL; set one that begins with one of {_listed(schemes)}")
    try:
        parts = urlsplit(text)
        port_is_usable = parts.port is None or parts.port > 0
    except ValueError:
        raise unusable from None
    named = parts.path.strip("/") if parts.scheme == "redis+socket" else parts.hostname
    if parts.scheme not in schemes or not named or not port_is_usable or parts.fragment:
        raise unusable
    return parts


def _listed(schemes: tuple[str, ...]) -> str:
    return ", ".join(f"{scheme}://" for scheme in sorted(schemes))


def _options(scheme: str, hosts: tuple[SplitResult, ...]) -> dict[str, str]:
    """The options of all URLs together; they apply to every host."""
    options: dict[str, str] = {}
    for name, text in (pair for host in hosts for pair in parse_qsl(host.query, keep_blank_values=True)):
        if name not in OPTIONS[scheme]:
            raise _unknown_option(scheme)
        value = SYNONYMS.get(text, text) if name == "ssl_cert_reqs" else text
        if value not in CHOICES.get(name, (value,)) or not value:
            raise InvalidBrokerUrl(f"has an unusable {name}; set {' or '.join(CHOICES.get(name, ('a value',)))}")
        if options.setdefault(name, value) != value:
            raise InvalidBrokerUrl(f"has two values of {name}; set one, which holds for every host")
    if scheme == "sentinel" and "master_name" not in options:
        raise InvalidBrokerUrl("does not name the Redis that the Sentinels watch; set ?master_name=")
    return options


def _unknown_option(scheme: str) -> InvalidBrokerUrl:
    if not OPTIONS[scheme]:
        return InvalidBrokerUrl(f"has an option, and {scheme}:// takes no options; set one without a question mark")
    return InvalidBrokerUrl(f"has an option that {scheme}:// does not take; set only: {', '.join(OPTIONS[scheme])}")


def _check_database(url: BrokerUrl) -> None:
    try:
        if not url.is_amqp and (url.scheme != "redis+socket" or "virtual_host" in url.options):
            _ = url.database
    except ValueError:
        raise InvalidBrokerUrl("ends with a Redis database that is not a number; set one such as /0") from None


def _plain(host: SplitResult) -> str:
    """The URL without options. `geturl()` would lose the slashes if there is no host."""
    return f"{host.scheme}://{host.netloc}{host.path}"


def _address(host: SplitResult) -> str:
    name = host.hostname or ""
    return f"{f'[{name}]' if ':' in name else name}:{host.port or SENTINEL_PORT}"

"""Origins as browsers serialize them, so that a configured origin can be compared with the header `Origin`."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

import idna

from lib.environment import InvalidSetting

DEFAULT_PORTS = {"http": 80, "https": 443}
# Pages of these schemes either send `Origin: null` or do not exist.
WITHOUT_ORIGIN = {"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"}
ADVICE = "list origins such as https://app.example.com or capacitor://localhost"
_HOST = re.compile(r"[a-z0-9_~-]+(\.[a-z0-9_~-]+)*\.?")


class InvalidOrigin(ValueError):
    """The text is not an origin. The message continues a sentence after "…, which" and never repeats a password."""


def parse_origins(text: str) -> tuple[str, ...]:
    """Parse a list of origins separated by commas. Raises `InvalidSetting`."""
    origins, problems = [], []
    for part in filter(None, (part.strip().rstrip("/") for part in text.split(","))):
        try:
            origins.append(normalize_origin(part))
        except InvalidOrigin as error:
            problems.append(f"holds {shown(part)}, which {error}; {ADVICE}")
    if problems:
        raise InvalidSetting(*problems)
    return tuple(dict.fromkeys(origins))


def shown(address: str) -> str:
    """The address in an error message, unless it may hold a password."""
    return "an address" if "@" in address else repr(address)


def normalize_origin(text: str) -> str:
    """`scheme://host[:port]` as a browser serializes it: lower case, IDNA host, no default port.

    Any scheme is allowed that a browser sends as an origin, such as those of app shells (`capacitor://localhost`) and
    of extensions (`chrome-extension://<id>`). Raises `InvalidOrigin`.
    """
    if text in ("*", "null"):
        raise InvalidOrigin("would allow pages of any site")
    parts = split(text)
    if parts.path or "?" in text or "#" in text:
        raise InvalidOrigin("has a path or a query, which no origin has")
    if parts.scheme in WITHOUT_ORIGIN:
        raise InvalidOrigin(f"has the scheme {parts.scheme}, which browsers never send as an origin")
    return f"{parts.scheme}://{authority(parts)}"


def split(text: str) -> SplitResult:
    """The parts of an absolute URL. Raises `InvalidOrigin` when it has no scheme, no host, or a user name."""
    try:
        parts = urlsplit(text)
        usable = bool(parts.scheme and parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets without an IPv6 address, a port that is not a number
        usable = False
    if "@" in text:
        raise InvalidOrigin("has a user name or a password")
    if not usable or not text.lower().startswith(f"{parts.scheme}://") or re.search(r"[\s\\]", text):
        raise InvalidOrigin("is not scheme://host or scheme://host:port")
    return parts


def authority(parts: SplitResult) -> str:
    """The host and the port, unless it is the scheme's default. Raises `InvalidOrigin`."""
    host = _host(parts)
    return host if parts.port in (None, DEFAULT_PORTS.get(parts.scheme)) else f"{host}:{parts.port}"


def names_host(origin: str, host: str) -> bool:
    """Whether the headers `Origin` and `Host` name the same host and port; either may include the default port."""
    scheme, _, address = origin.lower().partition("://")
    default = f":{DEFAULT_PORTS.get(scheme)}"
    return bool(address) and address.removesuffix(default) == host.lower().removesuffix(default)


def _host(parts: SplitResult) -> str:
    name = parts.hostname or ""
    try:
        if "[" in parts.netloc:
            return f"[{ipaddress.IPv6Address(name).compressed}]"
        host = name if name.isascii() else idna.encode(name, uts46=True).decode()
        if host.rstrip(".").rpartition(".")[2].isdigit():  # browsers parse such a host as an IPv4 address
            ipaddress.IPv4Address(host)
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host):
        raise InvalidOrigin("has a host that no browser takes")
    return host

"""The URLs at which users reach Belfry: an origin, and optionally a path."""

import re

from lib.environment import InvalidSetting
from lib.origins import InvalidOrigin, authority, shown, split

_PATH = re.compile(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~!$&()+,;=:@%-]+)*")


def parse_public_url(text: str) -> str:
    """Parse and normalize a URL. Raises `InvalidSetting`."""
    try:
        return normalize_public_url(text.strip())
    except InvalidOrigin as error:
        advice = "set an address such as https://belfry.example.com or https://example.com/belfry"
        raise InvalidSetting(f"is {shown(text)}, which {error}; {advice}") from None


def normalize_public_url(text: str) -> str:
    """`https://host[:port][/path]`, without a trailing slash. Raises `InvalidOrigin`."""
    parts = split(text)
    if parts.scheme not in ("http", "https"):
        raise InvalidOrigin("begins with neither http:// nor https://")
    path = parts.path.rstrip("/")
    if "?" in text or "#" in text or not _PATH.fullmatch(path):
        raise InvalidOrigin("has a query, a fragment, or characters that no path has")
    return f"{parts.scheme}://{authority(parts)}{path}"


def origin_of(public_url: str) -> str:
    """The origin of a URL that `normalize_public_url` returned."""
    return "/".join(public_url.split("/", 3)[:3])

"""The schemes that the `url` of a notification may have beside http and https."""

import re
from collections.abc import Iterable

from lib.environment import InvalidSetting

# Browsers may execute these or show local content, so no deployment can allow them.
NEVER = {"about", "blob", "data", "file", "filesystem", "javascript", "vbscript", "view-source"}
ADVICE = "list schemes of apps such as myapp,com.example.app"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


def parse_schemes(text: str) -> tuple[str, ...]:
    """Lower-case schemes from a list such as `myapp,com.example.app`. Raises `InvalidSetting`."""
    schemes = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",") if part.strip()))
    for scheme in schemes:
        if scheme in NEVER:
            raise InvalidSetting(f"holds {scheme!r}, which can never be allowed; {ADVICE}")
        if not _SCHEME.fullmatch(scheme):
            raise InvalidSetting(f"holds {scheme!r}, which is not a scheme; {ADVICE}")
    return schemes


def address_pattern(schemes: Iterable[str]) -> str:
    """A regular expression for `url`, valid in Python and in JSON Schema."""
    apps = "".join(f"|{_in_any_case(scheme)}:[^\\s\\\\]+" for scheme in schemes)
    return rf"^(?:[hH][tT][tT][pP][sS]?://[^\s\\]+|/(?:[^/\s\\][^\s\\]*)?{apps})$"


def _in_any_case(scheme: str) -> str:
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else f"[{c}]" for c in scheme)

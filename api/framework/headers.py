"""The headers that answers carry beside their body: what a client may rely on, and what the documentation says."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Request

from api.schemas.requests import Schema

LINKS = {"Location", "Link"}
# A proxy sends one of these, unless it is told not to. Everybody can send them: they choose between two spellings of
# the same URL, and nothing else.
FORWARDED = (
    "FORWARDED",
    "VIA",
    "X_FORWARDED_FOR",
    "X_FORWARDED_HOST",
    "X_FORWARDED_PREFIX",
    "X_FORWARDED_PROTO",
    "X_REAL_IP",
)


@dataclass(frozen=True)
class Header:
    name: str
    description: str
    example: str


ETAG = Header("ETag", "Names this version; send it as If-None-Match to hear only of another.", '"0c7aeca.5f2b.42"')
LINK = Header(
    "Link",
    "The next page, when there is one; behind a proxy, a URL relative to the request's.",
    '</v1/inbox?limit=20&cursor=…>; rel="next"',
)
LOCATION = Header(
    "Location",
    "Where to ask for it; behind a proxy, a URL relative to the request's.",
    "/v1/notifications/019ac5a7-8c00-7000-8000-0000000000a1",
)


def below_prefix(headers: Mapping[str, str], request: Request) -> Mapping[str, str]:
    """The same headers, with links that hold under whatever prefix a proxy took off the request's path.

    Behind a proxy, a link is relative to the request: `/v1/inbox` becomes `../v1/inbox`. Without one it stays a path,
    which clients also understand that append it to the server's address.
    """
    if LINKS.isdisjoint(headers) or not _is_proxied(request):
        return headers
    up = "../" * (request.path.count("/") - 1)
    return {name: _relative(value, up) if name in LINKS else value for name, value in headers.items()}


def _relative(value: str, up: str) -> str:
    """`value` is a path (`Location`), or begins with one in angle brackets (`Link`)."""
    bracket = "<" if value.startswith("<") else ""
    return f"{bracket}{up}{value.removeprefix(f'{bracket}/')}"


def _is_proxied(request: Request) -> bool:
    """nginx speaks HTTP/1.0 to a server unless it is told otherwise."""
    environ = request.environ
    return environ["SERVER_PROTOCOL"] == "HTTP/1.0" or any(f"HTTP_{name}" in environ for name in FORWARDED)


def link_to_next(path: str, query: Schema, next_cursor: str | None) -> dict[str, str]:
    """`Link` to the page that follows this query's, if any: the same filters, from the cursor on."""
    if next_cursor is None:
        return {}
    fields = query.model_dump(mode="json", exclude_none=True) | {"cursor": next_cursor}
    return {"Link": f'<{path}?{urlencode(fields)}>; rel="next"'}

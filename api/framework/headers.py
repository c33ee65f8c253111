"""Headers of responses, as the OpenAPI document describes them, and links that hold behind a proxy."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import Request

from api.schemas.requests import Schema

LINKS = {"Location", "Link"}
# A proxy sends at least one of these by default. Any client can send them too: they only choose between two forms of
# the same URL.
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


ETAG = Header(
    "ETag", "Names this version; send it as If-None-Match to get a body only for another version.", '"0c7aeca.5f2b.42"'
)
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
    """The same headers, with links that hold even if a proxy has removed a prefix from the request's path.

    Behind a proxy a link becomes relative to the request: `/v1/inbox` becomes `../v1/inbox`. Otherwise it stays a path,
    for clients that append it to the server's address.
    """
    if LINKS.isdisjoint(headers) or not _is_proxied(request):
        return headers
    up = "../" * (request.path.count("/") - 1)
    return {name: _relative(value, up) if name in LINKS else value for name, value in headers.items()}


def _relative(value: str, up: str) -> str:
    """`value` is a path (`Location`) or begins with a path in angle brackets (`Link`)."""
    bracket = "<" if value.startswith("<") else ""
    return f"{bracket}{up}{value.removeprefix(f'{bracket}/')}"


def _is_proxied(request: Request) -> bool:
    """Whether a proxy sent the request. nginx uses HTTP/1.0 by default."""
    environ = request.environ
    return environ["SERVER_PROTOCOL"] == "HTTP/1.0" or any(f"HTTP_{name}" in environ for name in FORWARDED)


def link_to_next(path: str, query: Schema, next_cursor: str | None) -> dict[str, str]:
    """The `Link` header to the next page of this query, if there is one."""
    if next_cursor is None:
        return {}
    fields = query.model_dump(mode="json", exclude_none=True) | {"cursor": next_cursor}
    return {"Link": f'<{path}?{urlencode(fields)}>; rel="next"'}

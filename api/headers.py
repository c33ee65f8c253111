"""The headers that answers carry beside their body: what a client may rely on, and what the documentation says."""

from dataclasses import dataclass
from urllib.parse import urlencode

from api.schemas import Schema


@dataclass(frozen=True)
class Header:
    name: str
    description: str
    example: str


ETAG = Header("ETag", "Names this version; send it as If-None-Match to hear only of another.", '"0c7aeca.5f2b.42"')
LINK = Header(
    "Link",
    "The next page, when there is one: a URL relative to the request's.",
    '<../v1/inbox?limit=20&cursor=…>; rel="next"',
)
LOCATION = Header(
    "Location",
    "Where to ask for it: a URL relative to the request's.",
    "../v1/notifications/019ac5a7-8c00-7000-8000-0000000000a1",
)


def reference(path: str, *, at: str) -> str:
    """A URL of `path` relative to a request for the path `at`: it holds under any prefix that a proxy adds."""
    return "../" * (at.count("/") - 1) + path.removeprefix("/")


def link_to_next(path: str, query: Schema, next_cursor: str | None) -> dict[str, str]:
    """`Link` to the page that follows this query's, if any: the same filters, from the cursor on."""
    if next_cursor is None:
        return {}
    fields = query.model_dump(mode="json", exclude_none=True) | {"cursor": next_cursor}
    return {"Link": f'<{reference(path, at=path)}?{urlencode(fields)}>; rel="next"'}

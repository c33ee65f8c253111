"""The OpenAPI document at `/openapi.json`, and Swagger UI that shows it at `/docs`.

`web/build.mjs` copies Swagger UI to `web/dist`; `api/pages.py` serves it. The page loads nothing from elsewhere.
"""

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, request
from markupsafe import Markup

from api.docs.openapi import document
from api.framework.endpoint import Endpoint

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def register(
    app: Flask, endpoints: Sequence[Endpoint], *, url_schemes: Sequence[str], public_api_url: str | None
) -> None:
    """Serve both. The document is made at the first request for it."""

    @cache
    def openapi() -> bytes:
        return (json.dumps(document(endpoints, url_schemes), ensure_ascii=False, separators=(",", ":")) + "\n").encode()

    def docs() -> Response:
        page = Markup(_file("docs.html").decode())  # noqa: S704  (our own file)
        return _serve(
            page.format(here=public_api_url or request.host_url.rstrip("/")).encode(), "text/html; charset=utf-8"
        )

    app.add_url_rule("/openapi.json", "openapi", lambda: _serve(openapi(), "application/json"))
    app.add_url_rule("/docs", "docs", docs)
    app.add_url_rule("/docs.css", "docs.css", lambda: _serve(_file("docs.css"), "text/css"))
    app.add_url_rule("/docs.js", "docs.js", lambda: _serve(_file("docs.js"), "text/javascript"))


@cache
def _file(name: str) -> bytes:
    return (HERE / name).read_bytes()


def _serve(content: bytes, content_type: str) -> Response:
    response = Response(content, content_type=content_type)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.vary.update(("Accept-Encoding", "Origin"))
    response.set_etag(sha256(content).hexdigest()[:16], weak=True)
    return response.make_conditional(request)  # type: ignore[return-value]

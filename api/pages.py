"""The demo page, and the scripts that any page may load. The API itself needs neither."""

from pathlib import Path

from flask import Flask, Response, send_file, send_from_directory
from werkzeug.exceptions import NotFound

from api.framework import endpoint
from api.schemas.responses import Config
from lib.public_urls import origin_of

WEB = Path(__file__).resolve().parent.parent / "web"
PAGES = WEB / "demo"
BUILT = WEB / "dist"
COMPRESS_MAX_BYTES = 1_000_000  # Swagger UI takes 24 ms, in which no other request is served
SERVED = {".js", ".css", ".svg", ".png", ".ico"}


def register(app: Flask, public_push_url: str) -> None:
    """Serve the page at `/`, files below `/static/`, and at `/config.json` the address of the push server."""
    policy = content_policy(public_push_url)

    def page() -> Response:
        return _with_policy(_file(PAGES / "index.html"), policy)

    def static(name: str) -> Response:
        if Path(name).suffix not in SERVED:
            raise NotFound
        folder = BUILT if (BUILT / name).is_file() else PAGES
        response = _with_policy(send_from_directory(folder, name), policy)
        # The component on another site can then tell a CORS refusal from an unreachable server.
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    app.add_url_rule("/", "page", page)
    app.add_url_rule("/static/<path:name>", "static", static)
    app.add_url_rule("/config.json", "config", lambda: _config(public_push_url))


def content_policy(public_push_url: str) -> str:
    """The page's Content-Security-Policy: scripts from here only, connections to here and the push server only."""
    push = origin_of(public_push_url)
    socket = f"ws{push.removeprefix('http')}"  # https becomes wss
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self' {push} {socket}; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def _config(public_push_url: str) -> Response:
    return endpoint.respond(endpoint.Response(Config(api="v1", push_url=public_push_url)), 200)


def _file(path: Path) -> Response:
    if not path.is_file():
        raise NotFound
    return send_file(path)


def _with_policy(response: Response, policy: str) -> Response:
    response.direct_passthrough = (response.content_length or 0) > COMPRESS_MAX_BYTES
    response.headers["Content-Security-Policy"] = policy
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Origin")  # a cached copy for one origin is not readable for another
    return response

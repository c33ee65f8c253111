"""The Flask application: its routes, its error handlers and the headers of every response."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request, Response, request
from werkzeug.routing import BaseConverter, MapAdapter

from api import pages
from api.docs import page
from api.framework import compression, problems
from api.framework.auth import CachedVerifier
from api.framework.concurrency import ConcurrencyLimit
from api.framework.endpoint import Endpoint, Services, serve
from api.framework.json_body import READ_MAX_BYTES
from api.framework.origins import Origins
from api.framework.rate_limits import RateLimits
from api.framework.revocations import RevokedTokens
from api.monitoring import health, metrics
from api.monitoring.stalls import StallMonitor
from api.pipeline.enqueue import Enqueuer
from api.v1 import follows, inbox, messages, notifications, subscriptions, tokens, topics
from auth.tokens import TokenVerifier
from models.db.database import Database
from push.broker.announcer import Announcer

ENDPOINTS: tuple[Endpoint, ...] = (
    follows.follow,
    follows.unfollow,
    messages.send_message,
    notifications.notify,
    notifications.notify_many,
    notifications.read_published,
    notifications.read_one_published,
    notifications.cancel_notification,
    inbox.read_inbox,
    inbox.read_summary,
    inbox.read_changes,
    inbox.read_item,
    inbox.change_item,
    inbox.delete_item,
    inbox.mark_read,
    inbox.mark_seen,
    inbox.mark_archived,
    subscriptions.read_subscriptions,
    subscriptions.subscribe,
    subscriptions.unsubscribe,
    topics.change_subscribers,
    tokens.revoke_tokens,
    health.live,
    health.ready,
)

SECURITY_HEADERS = (  # unless a response has its own
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
CONVERTERS = {"seq": "number", "notification_id": "uuid"}  # other values are not found: 404


class Application(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """No view is a coroutine. Flask would inspect the function at every request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Routes match the path alone. Flask would also parse the host, twice."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)


class Anything(BaseConverter):
    """An id or a topic in a path: any characters, including slashes. The schema of the field restricts them."""

    part_isolating = False
    regex = r"(?s:.+)"
    weight = 200


class Number(BaseConverter):
    """A seq in a path. Anything else, or a number beyond every inbox, is not found: 404."""

    regex = r"[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)


def create_app(
    database: Database,
    verifier: TokenVerifier,
    enqueuer: Enqueuer,
    announcer: Announcer,
    rates: RateLimits,
    concurrency: ConcurrencyLimit,
    stalls: StallMonitor,
    *,
    public_api_url: str | None,
    public_push_url: str,
    cors_origins: Sequence[str],
    url_schemes: Sequence[str],
) -> Flask:
    """Make the application. It connects to nothing before the first request."""
    app = Application("belfry", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = READ_MAX_BYTES
    app.url_map.merge_slashes = False  # an unknown path is not found, never redirected
    app.url_map.converters.update(anything=Anything, number=Number)
    origins = Origins(cors_origins)
    services = Services(
        database,
        CachedVerifier(verifier),
        RevokedTokens(database),
        enqueuer,
        announcer,
        origins,
        rates,
        concurrency,
        stalls,
        tuple(url_schemes),
    )
    for endpoint in ENDPOINTS:
        app.add_url_rule(_rule(endpoint), _name(endpoint), _view(endpoint, services), methods=[endpoint.method])
    app.before_request(_demand_utf8_path)
    problems.register(app)
    metrics.register(app, services)
    page.register(app, ENDPOINTS, url_schemes=url_schemes, public_api_url=public_api_url)
    pages.register(app, public_push_url)
    compression.register(app)
    app.after_request(_drop_type_of_empty_body)
    origins.allow(app)
    app.wsgi_app = _with_security_headers(app.wsgi_app)  # type: ignore[method-assign, assignment]  # Flask's own way
    return app


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _rule(endpoint: Endpoint) -> str:
    """The path in Flask's syntax: `/v1/inbox/{seq}` is `/v1/inbox/<number:seq>`."""

    def converter(field: re.Match[str]) -> str:
        return f"<{CONVERTERS.get(field[1], 'anything')}:{field[1]}>"

    return re.sub(r"{(\w+)}", converter, endpoint.path)


def _view(endpoint: Endpoint, services: Services) -> Callable[..., Response]:
    def view(**path: Any) -> Response:
        return serve(endpoint, services, _unproxied(request), path)

    return view


def _unproxied(request: Request) -> Request:
    """The request behind Flask's proxy, which would look it up at every access."""
    current: Request = request._get_current_object()  # type: ignore[attr-defined]
    return current


def _demand_utf8_path() -> None:
    """Raises `Problem` for other bytes: Werkzeug would replace them, and the path would name something else."""
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeDecodeError:
        raise problems.Problem(problems.MALFORMED_REQUEST, "The path is not UTF-8.") from None


def _drop_type_of_empty_body(response: Response) -> Response:
    """Flask's response to OPTIONS has a Content-Type and no body."""
    if request.method == "OPTIONS" and not response.get_data():
        response.headers.pop("Content-Type", None)
    return response


def _with_security_headers(app: WSGIApplication) -> WSGIApplication:
    """Add `SECURITY_HEADERS` to every response. Pages have a Content-Security-Policy of their own."""

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            present = {name for name, _ in headers}
            added = [header for header in SECURITY_HEADERS if header[0] not in present]
            return start_response(status, [*headers, *added], *error)

        return app(environ, start)

    return respond

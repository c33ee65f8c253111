"""The Flask application, made from values: every route, every error, and who may call from another origin."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request, Response, request
from werkzeug.routing import BaseConverter, MapAdapter

from api import pages
from api.docs import page
from api.framework import compression, problems
from api.framework.auth import Remembering
from api.framework.concurrency import WaitingRoom
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
    notifications.withdraw,
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


GUARDS = (
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
)
CONVERTERS = {"seq": "number", "notification_id": "uuid"}  # what is none of these names nothing: 404


class Application(Flask):
    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Nothing here is a coroutine; Flask would look at each function anew for each request."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Routes are found by the path alone; Flask would take the host apart, twice."""
        if request is None:
            return None
        return self.url_map.bind("", path_info=request.path, default_method=request.method)


class Anything(BaseConverter):
    """An id or a topic in a path: any characters, slashes too. Which of them are allowed its schema says."""

    part_isolating = False
    regex = r"(?s:.+)"
    weight = 200


class Number(BaseConverter):
    """A seq in a path; what is no number, or one that no inbox reaches, names nothing: 404."""

    regex = r"[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)


def create_app(
    database: Database,
    verifier: TokenVerifier,
    enqueuer: Enqueuer,
    announcer: Announcer,
    rates: RateLimits,
    waiting: WaitingRoom,
    stalls: StallMonitor,
    *,
    public_api_url: str | None,
    public_push_url: str,
    cors_origins: Sequence[str],
    url_schemes: Sequence[str],
) -> Flask:
    """The API over these parts. Nothing is connected before the first request."""
    app = Application("belfry", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = READ_MAX_BYTES
    app.url_map.merge_slashes = False  # a path that is not ours is not found, never led elsewhere
    app.url_map.converters.update(anything=Anything, number=Number)
    origins = Origins(cors_origins)
    services = Services(
        database,
        Remembering(verifier),
        RevokedTokens(database),
        enqueuer,
        announcer,
        origins,
        rates,
        waiting,
        stalls,
        tuple(url_schemes),
    )
    for endpoint in ENDPOINTS:
        app.add_url_rule(_rule(endpoint), _name(endpoint), _view(endpoint, services), methods=[endpoint.method])
    app.before_request(_demand_readable_path)
    problems.register(app)
    metrics.register(app, services)
    page.register(app, ENDPOINTS, url_schemes=url_schemes, public_api_url=public_api_url)
    pages.register(app, public_push_url)
    compression.register(app)
    app.after_request(_without_type_of_nothing)
    origins.allow(app)
    app.wsgi_app = _guarded(app.wsgi_app)  # type: ignore[method-assign, assignment]  # as Flask says to
    return app


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


def _rule(endpoint: Endpoint) -> str:
    """`/v1/inbox/{seq}` in Flask's words."""

    def converter(field: re.Match[str]) -> str:
        return f"<{CONVERTERS.get(field[1], 'anything')}:{field[1]}>"

    return re.sub(r"{(\w+)}", converter, endpoint.path)


def _view(endpoint: Endpoint, services: Services) -> Callable[..., Response]:
    def view(**path: Any) -> Response:
        return serve(endpoint, services, _itself(request), path)

    return view


def _itself(request: Request) -> Request:
    """What Flask's stand-in for it stands for: looked up once, not at each look at the request."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def _demand_readable_path() -> None:
    """Bytes that are no UTF-8 would come through as replacement characters, and name someone else."""
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeDecodeError:
        raise problems.Problem(problems.MALFORMED_REQUEST, "The path is not UTF-8.") from None


def _without_type_of_nothing(response: Response) -> Response:
    """What Flask answers to OPTIONS: `Allow`, and no body that could be of a type."""
    if request.method == "OPTIONS" and not response.get_data():
        response.headers.pop("Content-Type", None)
    return response


def _guarded(app: WSGIApplication) -> WSGIApplication:
    """Whatever is answered runs nothing, is framed by nobody, and is what it says it is; pages say more themselves."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            said = {name for name, _ in headers}
            return start_response(status, [*headers, *(guard for guard in GUARDS if guard[0] not in said)], *error)

        return app(environ, start)

    return answer

"""A small framework on top of Flask: an endpoint is a function with typed parameters, and this module does the rest.

    @endpoint("POST", "/v1/messages", scope=INBOX, responses={202: Accepted}, keyed=True)
    def send_message(context: RequestContext, body: Message) -> Response: ...

`serve` checks in this order: the page's origin, the token, its scope, the caller's rate limit, the path, the query, the
Idempotency-Key, the size and form of the body, and its schema. Then it calls the function with the arguments that its
parameters name: `body` and `query` as their schemas read them, and the fields in braces in the path.

Why our own: no endpoint can forget a check or do the checks in another order, the OpenAPI document is made from the
same `Endpoint` that serves the request, and responses are written from JSON that the database holds already, which the
frameworks on Flask (flask-smorest, APIFlask) would parse and serialize again.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, get_type_hints
from urllib.parse import parse_qsl

from flask import Request
from flask import Response as FlaskResponse
from pydantic import BaseModel, TypeAdapter
from werkzeug.datastructures import Headers

from api.framework.auth import Verifier, authenticate, demand_scope
from api.framework.concurrency import ConcurrencyLimit
from api.framework.headers import Header, below_prefix
from api.framework.json_body import read_json
from api.framework.origins import Origins
from api.framework.problems import MALFORMED_REQUEST, Problem, ProblemKind, invalid
from api.framework.rate_limits import RateLimits
from api.framework.revocations import RevokedTokens
from api.framework.validation import validate
from api.framework.without_effect import refuse_body, refuse_key, refuse_query
from api.monitoring.stalls import StallMonitor
from api.pipeline.enqueue import Enqueuer
from api.pipeline.publish import Publisher
from api.schemas.fields import IdempotencyKey
from lib.rendering.rendered_json import Json, render, with_arrays
from models.db.database import Database
from push.broker.announcer import Announcer

QUERY_FIELDS_MAX = 50

CACHING = {"Cache-Control": "private, no-cache"}

_KEY: TypeAdapter[str] = TypeAdapter(IdempotencyKey)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """The parts that endpoints use, made once for a process."""

    database: Database
    verifier: Verifier
    revoked: RevokedTokens
    enqueuer: Enqueuer
    announcer: Announcer
    origins: Origins
    rates: RateLimits
    concurrency: ConcurrencyLimit
    stalls: StallMonitor
    url_schemes: tuple[str, ...] = ()  # allowed in a `url` beside http and https
    clock: Callable[[], datetime] = utc_now

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher(self.database, self.enqueuer, self.clock)


@dataclass(frozen=True)
class RequestContext:
    """An authenticated request. `caller` is the token's `sub`, or empty where the endpoint needs no token."""

    services: Services
    caller: str
    now: datetime
    idempotency_key: str | None = None
    headers: Headers = field(default_factory=Headers)

    @property
    def database(self) -> Database:
        return self.services.database

    @property
    def enqueuer(self) -> Enqueuer:
        return self.services.enqueuer

    @property
    def publisher(self) -> Publisher:
        return self.services.publisher


@dataclass(frozen=True)
class Response:
    """An endpoint's result. `status` defaults to the first status that the endpoint declares.

    `lists` are further fields of the body; their elements are JSON text.
    """

    body: BaseModel | Mapping[str, Any] | Json | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[Json]] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    run: Callable[..., Response]
    scope: str | None
    responses: Mapping[int, type[BaseModel] | None]
    problems: tuple[ProblemKind, ...]
    keyed: bool
    headers: tuple[Header, ...]

    @cached_property
    def types(self) -> dict[str, Any]:
        """The type of each argument, by its name."""
        hints = get_type_hints(self.run, include_extras=True)
        return {name: hints[name] for name in inspect.signature(self.run).parameters if name != "context"}

    @cached_property
    def schemas(self) -> dict[str, TypeAdapter[Any]]:
        """The schema of each argument, by its name."""
        return {name: TypeAdapter(type_) for name, type_ in self.types.items()}

    @cached_property
    def path_fields(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)


def endpoint(
    method: str,
    path: str,
    *,
    scope: str | None,
    responses: Mapping[int, type[BaseModel] | None],
    problems: tuple[ProblemKind, ...] = (),
    keyed: bool = False,
    headers: tuple[Header, ...] = (),
) -> Callable[[Callable[..., Response]], Endpoint]:
    """Make a function an `Endpoint`.

    `responses`: the schema of the body, by status. `keyed`: it takes an Idempotency-Key. `problems`, `headers`: those
    of this endpoint alone.
    """

    def decorate(run: Callable[..., Response]) -> Endpoint:
        return Endpoint(method, path, run, scope, responses, problems, keyed, headers)

    return decorate


def serve(endpoint: Endpoint, services: Services, request: Request, path: Mapping[str, Any]) -> FlaskResponse:
    """Serve one request. Raises `Problem`; the endpoint's transaction is rolled back then."""
    caller = "" if endpoint.scope is None else _authorize(endpoint.scope, services, request)
    arguments = _arguments(endpoint, request, path)
    key = _idempotency_key(endpoint, request)
    if "body" in endpoint.schemas:
        arguments["body"] = validate(endpoint.schemas["body"], read_json(request), url_schemes=services.url_schemes)
    elif endpoint.scope is not None:
        refuse_body(request)
    with nullcontext() if endpoint.scope is None else services.concurrency:
        response = endpoint.run(RequestContext(services, caller, services.clock(), key, request.headers), **arguments)
    if response.headers:
        response = replace(response, headers=below_prefix(response.headers, request))
    return respond(response, next(iter(endpoint.responses)))


def _authorize(scope: str, services: Services, request: Request) -> str:
    """Return the caller. Raises `Problem` if the origin, the token, its scope or the rate limit refuses the request."""
    services.origins.demand_known(request)
    with services.concurrency:
        claims = authenticate(services.verifier, services.revoked, request.headers.get("Authorization"))
    demand_scope(claims, scope)
    services.rates.demand(scope, claims.sub)
    return claims.sub


def respond(response: Response, status: int) -> FlaskResponse:
    """Write a response. `status` is the default."""
    status = response.status or status
    if response.body is None:
        empty = FlaskResponse(status=status, headers=dict(response.headers))
        empty.headers.pop("Content-Type", None)
        return empty
    return JsonResponse(_text_of(response), status, {**CACHING, **response.headers}, content_type="application/json")


class JsonResponse(FlaskResponse):
    """A response with complete headers. Werkzeug would search them for missing ones at every response."""

    def get_wsgi_headers(self, _environ: object) -> Headers:
        return self.headers


def _text_of(response: Response) -> str:
    body = response.body.model_dump() if isinstance(response.body, BaseModel) else response.body or {}
    rendered = body if isinstance(body, str) else render(body)
    return with_arrays(rendered, response.lists) + "\n"


def _arguments(endpoint: Endpoint, request: Request, path: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {name: validate(endpoint.schemas[name], path[name], field=name) for name in endpoint.path_fields}
    if "query" in endpoint.schemas:
        arguments["query"] = validate(endpoint.schemas["query"], _query(request))
    elif request.query_string and endpoint.scope is not None:
        refuse_query(_query(request))
    return arguments


def _query(request: Request) -> dict[str, str]:
    """The fields of the query, each at most once.

    Raises `Problem` if it is not percent-encoded UTF-8; Werkzeug would insert replacement characters.
    """
    try:
        text = request.query_string.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        raise Problem(MALFORMED_REQUEST, "The query is not percent-encoded UTF-8.") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        if name in query:
            raise invalid(name, "duplicate", "appears twice in the query")
        query[name] = value
    return query


def _idempotency_key(endpoint: Endpoint, request: Request) -> str | None:
    value = request.headers.get("Idempotency-Key")
    if value is not None and not endpoint.keyed:
        refuse_key(request)
        return None
    return None if value is None else validate(_KEY, value, field="Idempotency-Key")

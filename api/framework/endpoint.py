"""An endpoint is a function with typed arguments; everything before it and after it is the same for all, and is here.

    @endpoint("POST", "/v1/messages", scope=INBOX, answers={202: Accepted}, keyed=True)
    def send_message(call: Call, body: Message) -> Answer: ...

In this order: the page's origin, the token, its scope, the caller's rate, the path, the query, the Idempotency-Key, the
body's size and form, its rules. The function gets what its parameters name: `body` and `query` by their schemas, and
what stands in braces in the path.
The OpenAPI document is made from the same `Endpoint`.
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

from flask import Request, Response
from pydantic import BaseModel, TypeAdapter
from werkzeug.datastructures import Headers

from api.framework.auth import Verifier, authenticate, demand_scope
from api.framework.concurrency import WaitingRoom
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
from models.db.database import Database
from models.inbox.rendering import Json, as_json
from push.broker.announcer import Announcer

QUERY_FIELDS_MAX = 50

CACHING = {"Cache-Control": "private, no-cache"}  # an inbox is nobody's business, and never stale

_KEY: TypeAdapter[str] = TypeAdapter(IdempotencyKey)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """What endpoints work with; made once for a process."""

    database: Database
    verifier: Verifier
    revoked: RevokedTokens
    enqueuer: Enqueuer
    announcer: Announcer
    origins: Origins
    rates: RateLimits
    waiting: WaitingRoom
    stalls: StallMonitor
    url_schemes: tuple[str, ...] = ()  # that the deployment allows beside http and https
    clock: Callable[[], datetime] = utc_now

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher(self.database, self.enqueuer, self.clock)


@dataclass(frozen=True)
class Call:
    """One request, authenticated: `caller` is the token's `sub` (empty where no token is asked for)."""

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
class Answer:
    """What the endpoint says; `status` is the first of those that the endpoint declares unless it names another.

    `lists` are further fields of the body, whose elements are rendered already.
    """

    body: BaseModel | Mapping[str, Any] | Json | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    lists: Mapping[str, Sequence[Json]] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    method: str
    path: str
    run: Callable[..., Answer | Response]
    scope: str | None
    answers: Mapping[int, type[BaseModel] | None]
    problems: tuple[ProblemKind, ...]
    keyed: bool
    headers: tuple[Header, ...]

    @cached_property
    def types(self) -> dict[str, Any]:
        """The type of each argument of the function, by its name."""
        hints = get_type_hints(self.run, include_extras=True)
        return {name: hints[name] for name in inspect.signature(self.run).parameters if name != "call"}

    @cached_property
    def schemas(self) -> dict[str, TypeAdapter[Any]]:
        """How to read each argument."""
        return {name: TypeAdapter(type_) for name, type_ in self.types.items()}

    @cached_property
    def path_fields(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)


def endpoint(
    method: str,
    path: str,
    *,
    scope: str | None,
    answers: Mapping[int, type[BaseModel] | None],
    problems: tuple[ProblemKind, ...] = (),
    keyed: bool = False,
    headers: tuple[Header, ...] = (),
) -> Callable[[Callable[..., Answer | Response]], Endpoint]:
    """Make a function an `Endpoint`. `keyed`: it takes an Idempotency-Key. `problems`, `headers`: its own."""

    def decorate(run: Callable[..., Answer | Response]) -> Endpoint:
        return Endpoint(method, path, run, scope, answers, problems, keyed, headers)

    return decorate


def serve(endpoint: Endpoint, services: Services, request: Request, path: Mapping[str, Any]) -> Response:
    """Answer one request. Raises `Problem`; whatever the endpoint did in its transaction is rolled back by then."""
    caller = "" if endpoint.scope is None else _admit(endpoint.scope, services, request)
    arguments = _arguments(endpoint, request, path)
    key = _idempotency_key(endpoint, request)
    if "body" in endpoint.schemas:
        arguments["body"] = validate(endpoint.schemas["body"], read_json(request), url_schemes=services.url_schemes)
    elif endpoint.scope is not None:
        refuse_body(request)
    with nullcontext() if endpoint.scope is None else services.waiting:
        answer = endpoint.run(Call(services, caller, services.clock(), key, request.headers), **arguments)
    if isinstance(answer, Response):
        return answer
    linked = replace(answer, headers=below_prefix(answer.headers, request)) if answer.headers else answer
    return respond(linked, next(iter(endpoint.answers)))


def _admit(scope: str, services: Services, request: Request) -> str:
    """Who calls. Raises `Problem` for whoever may not from there, by that token, or so often."""
    services.origins.demand_known(request)
    with services.waiting:
        claims = authenticate(services.verifier, services.revoked, request.headers.get("Authorization"))
    demand_scope(claims, scope)
    services.rates.demand(scope, claims.sub)
    return claims.sub


def respond(answer: Answer, status: int) -> Response:
    status = answer.status or status
    if answer.body is None:
        response = Response(status=status, headers=dict(answer.headers))
        response.headers.pop("Content-Type", None)
        return response
    return Complete(_text_of(answer), status, {**CACHING, **answer.headers}, content_type="application/json")


class Complete(Response):
    """An answer with a body, whose headers say all: werkzeug would look through them for what might be missing."""

    def get_wsgi_headers(self, _environ: object) -> Headers:
        return self.headers


def _text_of(answer: Answer) -> str:
    body = answer.body.model_dump() if isinstance(answer.body, BaseModel) else answer.body or {}
    text: str = body if isinstance(body, Json) else as_json(body)
    for name, rendered in answer.lists.items():
        text = f'{text[:-1]},"{name}":[{",".join(rendered)}]}}'
    return text + "\n"


def _arguments(endpoint: Endpoint, request: Request, path: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {name: validate(endpoint.schemas[name], path[name], field=name) for name in endpoint.path_fields}
    if "query" in endpoint.schemas:
        arguments["query"] = validate(endpoint.schemas["query"], _query(request))
    elif request.query_string and endpoint.scope is not None:
        refuse_query(_query(request))
    return arguments


def _query(request: Request) -> dict[str, str]:
    """The query's fields, each at most once. Raises `Problem` where werkzeug would put a replacement character."""
    try:
        text = request.query_string.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        raise Problem(MALFORMED_REQUEST, "The query is not percent-encoded UTF-8.") from None
    query: dict[str, str] = {}
    for name, value in pairs:
        if name in query:
            raise invalid(name, "duplicate", "stands twice in the query")
        query[name] = value
    return query


def _idempotency_key(endpoint: Endpoint, request: Request) -> str | None:
    value = request.headers.get("Idempotency-Key")
    if value is not None and not endpoint.keyed:
        refuse_key(request)
        return None
    return None if value is None else validate(_KEY, value, field="Idempotency-Key")

"""The OpenAPI 3.1 document, made from the endpoints and from the schemas that validate their requests."""

import inspect
import sys
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema

from api.framework import problems
from api.framework.auth import CHALLENGE
from api.framework.endpoint import Endpoint
from api.framework.problems import ProblemKind
from api.schemas import responses
from api.schemas.fields import ADDRESS, IdempotencyKey
from lib.url_schemes import address_pattern

Json = dict[str, Any]

ABOUT = """Belfry puts notifications into the inboxes of everyone concerned, once, and shows them on every open screen.

Times are RFC 3339 in UTC, written with a `Z`. Ids of recipients, actors and producers are yours: whatever a token's
`sub` says. Errors are RFC 9457 problems with a stable `code`. Every GET answers HEAD too, and every address OPTIONS.
Prometheus finds its numbers at `/metrics`."""
ABOUT_TOKENS = (
    """A JWT: `sub` (1–255 characters), `exp`, and `scope`: `inbox` to act as a user, `notify` as a producer."""
)
RETRY_AFTER = {"description": "Seconds after which to try again.", "schema": {"type": "integer"}, "example": 2}
WITH_TOKEN = (
    problems.UNAUTHORIZED,
    problems.FORBIDDEN,
    problems.ORIGIN_NOT_ALLOWED,
    problems.RATE_LIMITED,
    problems.DATABASE_UNAVAILABLE,
    problems.KEYS_UNAVAILABLE,
    problems.OVERLOADED,
)
KEY = "Makes a retry safe: the same key with the same body is the same notification, with the same id."


class Schemas(GenerateJsonSchema):
    """Omits the titles, which repeat the names of fields."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  (no field needs one)
        return False


def document(endpoints: Sequence[Endpoint], url_schemes: Sequence[str] = ()) -> Json:
    """The document of these endpoints. `url_schemes` are allowed in a `url` beside http and https."""
    json: Json = _with_schemes(_document(endpoints), url_schemes)
    return json


def _with_schemes(value: Any, url_schemes: Sequence[str]) -> Any:
    """A copy in which every pattern of a `url` allows these schemes."""
    if isinstance(value, dict):
        return {name: _with_schemes(element, url_schemes) for name, element in value.items()}
    if isinstance(value, list):
        return [_with_schemes(element, url_schemes) for element in value]
    return address_pattern(url_schemes) if value == ADDRESS else value


def _document(endpoints: Sequence[Endpoint]) -> Json:
    paths: dict[str, Json] = {}
    for one in endpoints:
        paths.setdefault(one.path, {})[one.method.lower()] = _operation(one)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Belfry", "version": "1", "description": ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "."}],  # relative to this document
        "tags": _tags(endpoints),
        "paths": paths,
        "components": {
            "schemas": _components(endpoints),
            "responses": {_name(kinds): _refusal(kinds) for one in endpoints for kinds in refusals_of(one)},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": ABOUT_TOKENS}
            },
        },
    }


def _operation(one: Endpoint) -> Json:
    summary, description = _docstring(one)
    operation: Json = {"tags": [_tag(one)], "summary": summary, "operationId": one.run.__name__}
    if description:
        operation["description"] = description
    operation["security"] = [{"token": [one.scope]}] if one.scope else []
    if parameters := _parameters(one):
        operation["parameters"] = parameters
    if "body" in one.types:
        operation["requestBody"] = {"required": True, "content": _content(one.types["body"])}
    refusals = {str(kinds[0].status): {"$ref": f"#/components/responses/{_name(kinds)}"} for kinds in refusals_of(one)}
    operation["responses"] = dict(sorted({**_successes(one), **refusals}.items()))
    return operation


def _docstring(one: Endpoint) -> tuple[str, str]:
    summary, _, rest = (inspect.getdoc(one.run) or "").partition("\n")
    return summary, rest.strip()


def _tag(one: Endpoint) -> str:
    """The name of the module that defines the endpoint."""
    return one.run.__module__.rpartition(".")[2]


def _tags(endpoints: Iterable[Endpoint]) -> list[Json]:
    modules = {_tag(one): sys.modules[one.run.__module__] for one in endpoints}
    return [{"name": name, "description": inspect.getdoc(module)} for name, module in modules.items()]


def _parameters(one: Endpoint) -> list[Json]:
    path = [_parameter("path", name, _schema(one.types[name]), required=True) for name in one.path_fields]
    headers = []
    if one.keyed:
        headers.append(_parameter("header", "Idempotency-Key", {**_schema(IdempotencyKey), "description": KEY}))
    if HTTPStatus.NOT_MODIFIED in one.responses:
        known = {"type": "string", "description": "The ETag of what the client has.", "examples": ['"0c7aeca.5f2b.42"']}
        headers.append(_parameter("header", "If-None-Match", known))
    return path + _query(one) + headers


def _query(one: Endpoint) -> list[Json]:
    if "query" not in one.types:
        return []
    schema = _schema(one.types["query"])
    required = schema.get("required", ())
    return [
        _parameter("query", name, _never_null(field), required=name in required)
        for name, field in schema["properties"].items()
    ]


def _parameter(where: str, name: str, schema: Json, *, required: bool = False) -> Json:
    schema = dict(schema)
    parameter: Json = {"name": name, "in": where, "required": required}
    for keyword, value in (
        ("description", schema.pop("description", "")),
        ("example", _first(schema.pop("examples", []))),
    ):
        if value not in ("", None):
            parameter[keyword] = value
    return {**parameter, "schema": schema}


def _first(values: list[Any]) -> Any:
    return values[0] if values else None


def _never_null(field: Json) -> Json:
    """The schema without `null`: a parameter is omitted instead."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return field
    rest = {keyword: value for keyword, value in field.items() if keyword not in ("anyOf", "default")}
    return {**kinds[0], **rest}


def _successes(one: Endpoint) -> dict[str, Json]:
    headers = {
        header.name: {"description": header.description, "schema": {"type": "string"}, "example": header.example}
        for header in one.headers
    }
    successes = {}
    for status, shape in one.responses.items():
        description = inspect.getdoc(shape) if shape and shape.__doc__ else HTTPStatus(status).phrase
        success: Json = {"description": description}
        if headers:
            success["headers"] = headers
        successes[str(status)] = success | ({"content": _content(shape)} if shape else {})
    return successes


def refusals_of(one: Endpoint) -> list[list[ProblemKind]]:
    """Every problem of this endpoint, grouped by status.

    Some are declared by the endpoint; the others follow from its arguments, its token and the services that it uses.
    """
    possible = [(problems.INTERNAL_ERROR, True)]
    possible += [(kind, one.scope is not None) for kind in WITH_TOKEN]
    validates = bool(one.types) or one.scope is not None  # it refuses what it does not take
    possible += [(problems.MALFORMED_REQUEST, validates), (problems.INVALID_REQUEST, validates)]
    possible += [(problems.NOT_FOUND, bool({"seq", "notification_id"} & set(one.types)))]
    body = (problems.MALFORMED_JSON, problems.BODY_TOO_LARGE, problems.UNSUPPORTED_MEDIA_TYPE)
    may_have_body = "body" in one.types or (one.scope is not None and one.method != "GET")
    possible += [(kind, may_have_body) for kind in body]
    all_of_them = [*one.problems, *(kind for kind, is_possible in possible if is_possible)]
    statuses = dict.fromkeys(kind.status for kind in all_of_them)
    return [[kind for kind in all_of_them if kind.status == status] for status in statuses]


def _name(kinds: Sequence[ProblemKind]) -> str:
    return ".".join(kind.code for kind in kinds)


def _refusal(kinds: Sequence[ProblemKind]) -> Json:
    status = kinds[0].status
    codes = {"properties": {"code": {"enum": [kind.code for kind in kinds]}}}
    refusal: Json = {"description": " ".join(f"`{kind.code}`: {kind.detail}" for kind in kinds)}
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        refusal["headers"] = {"Retry-After": RETRY_AFTER}
    if status == HTTPStatus.UNAUTHORIZED:
        refusal["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}, "example": CHALLENGE}}
    examples = {kind.code: {"value": problems.body_of(problems.Problem(kind))} for kind in kinds}
    schema = {"allOf": [_reference(responses.Problem), codes]}
    return {**refusal, "content": {problems.MIMETYPE: {"schema": schema, "examples": examples}}}


def _content(model: type[BaseModel]) -> Json:
    return {"application/json": {"schema": _reference(model)}}


def _reference(model: type[BaseModel]) -> Json:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _schema(type_: Any) -> Json:
    return TypeAdapter(type_).json_schema(schema_generator=Schemas)


def _components(endpoints: Sequence[Endpoint]) -> dict[str, JsonSchemaValue]:
    """The schemas of all bodies, and the schemas that these refer to."""
    used: dict[type[BaseModel], JsonSchemaMode] = {responses.Problem: "serialization"}
    for one in endpoints:
        used |= {shape: "serialization" for shape in one.responses.values() if shape}
        used |= {one.types["body"]: "validation"} if "body" in one.types else {}
    _, definitions = models_json_schema(
        list(used.items()), ref_template="#/components/schemas/{model}", schema_generator=Schemas
    )
    return dict(sorted(definitions["$defs"].items()))

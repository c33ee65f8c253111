"""The OpenAPI document at `/openapi.json`, and the same for people at `/docs`: a page without scripts."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from api.docs.openapi import Json, document
from api.framework.endpoint import Endpoint

HERE = Path(__file__).parent
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Field:
    """One row of a table: what a parameter, or a field of a body, may be."""

    name: str
    kind: Markup
    required: bool
    about: str


def register(
    app: Flask, endpoints: Sequence[Endpoint], *, url_schemes: Sequence[str], public_api_url: str | None
) -> None:
    """Serve both from now on; they are made when first asked for."""

    @cache
    def described() -> Json:
        return document(endpoints, url_schemes)

    @cache
    def written() -> bytes:
        return (json.dumps(described(), ensure_ascii=False, separators=(",", ":")) + "\n").encode()

    def page() -> Response:
        spec = described()
        text = (
            _templates()
            .get_template("docs.html")
            .render(
                spec=spec, calls=_calls(spec), shapes=_shapes(spec), here=public_api_url or request.host_url.rstrip("/")
            )
        )
        return _served(text.encode(), "text/html; charset=utf-8")

    app.add_url_rule("/openapi.json", "openapi", lambda: _served(written(), "application/json"))
    app.add_url_rule("/docs", "docs", page)
    app.add_url_rule("/docs.css", "docs.css", lambda: _served((HERE / "docs.css").read_bytes(), "text/css"))


def _served(content: bytes, kind: str) -> Response:
    response = Response(content, content_type=kind)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.vary.update(("Accept-Encoding", "Origin"))
    response.set_etag(sha256(content).hexdigest()[:16], weak=True)
    return response.make_conditional(request)  # type: ignore[return-value]


@cache
def _templates() -> Environment:
    templates = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    templates.filters["prose"] = _prose
    templates.filters["words"] = _words
    templates.filters["pretty"] = lambda value: json.dumps(value, ensure_ascii=False, indent=2)
    return templates


def _calls(spec: Json) -> dict[str, list[Json]]:
    """What the page shows of each call, by tag."""
    calls: dict[str, list[Json]] = {tag["name"]: [] for tag in spec["tags"]}
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            shown = {"method": method.upper(), "path": path, "operation": operation}
            shown["curl"] = _curl(spec, method.upper(), path, operation)
            shown["parameters"] = [_parameter_row(one) for one in operation.get("parameters", ())]
            shown["body"] = _body(spec, operation)
            shown["answers"] = [_answer(spec, *one) for one in operation["responses"].items()]
            calls[operation["tags"][0]].append(shown)
    return calls


def _shapes(spec: Json) -> dict[str, Json]:
    return {
        name: {"about": schema.get("description", ""), "fields": list(_fields(schema))}
        for name, schema in spec["components"]["schemas"].items()
    }


def _body(spec: Json, operation: Json) -> Json | None:
    if "requestBody" not in operation:
        return None
    schema = _resolved(spec, operation["requestBody"]["content"]["application/json"]["schema"])
    return {"about": schema.get("description", ""), "fields": list(_fields(schema)), "example": schema["examples"][0]}


def _answer(spec: Json, status: str, answer: Json) -> Json:
    answer = _resolved(spec, answer)
    kind = next(iter(answer.get("content", ())), None)
    schema = answer["content"][kind]["schema"] if kind else {}
    return {
        "status": status,
        "is_problem": kind == "application/problem+json",
        "about": answer["description"],
        "headers": answer.get("headers", {}),
        "kind": _kind(schema) if schema else None,
        "example": next(iter(_resolved(spec, schema).get("examples", ())), None),
    }


def _resolved(spec: Json, maybe: Json) -> Json:
    if "$ref" not in maybe:
        return maybe
    found: Any = spec
    for step in maybe["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return dict(found)


def _fields(schema: Json) -> Iterator[Field]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield Field(name, _kind(field), name in required, field.get("description", ""))


def _parameter_row(one: Json) -> Field:
    where = "" if one["in"] == "query" else f" (in the {one['in']})"
    return Field(one["name"], _kind(one["schema"]) + where, one["required"], one.get("description", ""))


def _kind(schema: Json) -> Markup:
    """A type in words, with a link where it has a name."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        return Markup('<a href="#{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(_kind(kind) for kind in schema["anyOf"]) + _default(schema)
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(" or ").join(Markup("<code>{}</code>").format(json.dumps(v)) for v in values) + _default(schema)
    if schema.get("type") == "array":
        return escape(f"list{_bounds(schema, 'Items', '')} of ") + _kind(schema.get("items", {}))
    words = str(schema.get("format", schema.get("type", "anything")))
    bounds = _bounds(schema, "Length", " characters") + _range(schema)
    return escape(words + bounds) + _default(schema)


def _bounds(schema: Json, what: str, unit: str) -> str:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}")
    return "" if most is None else f" ({least:,}–{most:,}{unit})"


def _range(schema: Json) -> str:
    if "minimum" not in schema:
        return ""
    most = schema.get("maximum", 0)
    return f" from {schema['minimum']}" + (f" to {most}" if most < 10**6 else "")


def _default(schema: Json) -> Markup:
    default = schema.get("default")
    return Markup("") if default is None else Markup("; else <code>{}</code>").format(json.dumps(default))


def _curl(spec: Json, method: str, path: str, operation: Json) -> str:
    """The call as a line for the shell, with the examples of its parameters and its body."""
    examples = {one["name"]: one.get("example") for one in operation.get("parameters", ()) if one["required"]}
    query = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"} & examples.keys()
    address = re.sub(r"{(\w+)}", lambda name: str(examples[name[1]]), path)
    if query:
        address += "?" + urlencode({name: examples[name] for name in sorted(query)})
    verb = "" if method == ("POST" if "requestBody" in operation else "GET") else f" -X {method}"
    line = f'curl -s{verb} "$BELFRY{address}"'
    if operation["security"]:
        line += ' -H "Authorization: Bearer $TOKEN"'
    if body := _body(spec, operation):
        line += f" --json '{json.dumps(body['example'], ensure_ascii=False)}'"
    return line


def _words(text: str) -> Markup:
    """Text in which `this` is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  (escaped before)


def _prose(text: str) -> Markup:
    return Markup("").join(Markup("<p>{}</p>").format(_words(part)) for part in text.split("\n\n") if part)

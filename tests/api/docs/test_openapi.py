"""The OpenAPI document describes the API, and an independent validator accepts it; the page at /docs shows it."""

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, TypeAdapter

from api.app import ENDPOINTS
from api.framework.endpoint import Endpoint
from api.pages import BUILT
from tests.api.running import Api, answered

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def spec(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = answered(api.http.get("/openapi.json"), 200)
    return document


@pytest.fixture
def page(api: Api) -> str:
    answer = api.http.get("/docs")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return answer.text


def operation(spec: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = spec["paths"][path][method]
    return found


def named(one: Endpoint) -> str:
    return f"{one.method} {one.path}"


def test_the_document_is_valid_openapi(spec: dict[str, Any]) -> None:
    assert spec["openapi"].startswith("3.1")
    assert list(OpenAPIV31SpecValidator(spec).iter_errors()) == []


def test_every_call_is_described_and_no_other(spec: dict[str, Any]) -> None:
    calls = {f"{method.upper()} {path}" for path, methods in spec["paths"].items() for method in methods}
    assert calls == {named(one) for one in ENDPOINTS}


@pytest.mark.parametrize("one", ENDPOINTS, ids=named)
def test_a_call_says_what_it_is_who_may_and_what_it_answers(spec: dict[str, Any], one: Endpoint) -> None:
    described = operation(spec, one.method.lower(), one.path)
    assert described["summary"]
    assert described["tags"][0] in {tag["name"] for tag in spec["tags"] if tag["description"]}
    assert described["security"] == ([{"token": [one.scope]}] if one.scope else [])
    assert {int(status) for status in described["responses"] if int(status) < 400} == set(one.responses)
    assert ("Idempotency-Key" in {each["name"] for each in described.get("parameters", ())}) == one.keyed
    for kind in one.problems:
        assert kind.code in json.dumps(resolved(spec, described["responses"][str(kind.status)]))


def resolved(spec: dict[str, Any], reference: dict[str, str]) -> Any:
    found: Any = spec
    for step in reference["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def test_headers_that_matter_are_described(spec: dict[str, Any]) -> None:
    summary = operation(spec, "get", "/v1/inbox/summary")
    assert {"If-None-Match"} == {each["name"] for each in summary["parameters"]}
    assert all("ETag" in summary["responses"][status]["headers"] for status in ("200", "304"))
    for path in ("/v1/inbox", "/v1/notifications"):
        assert "Link" in operation(spec, "get", path)["responses"]["200"]["headers"]
    assert "Location" in operation(spec, "post", "/v1/notifications")["responses"]["202"]["headers"]
    unavailable = resolved(spec, operation(spec, "get", "/v1/inbox")["responses"]["503"])
    assert "Retry-After" in unavailable["headers"]
    assert spec["components"]["securitySchemes"]["token"]["scheme"] == "bearer"


def test_problems_have_their_own_media_type(spec: dict[str, Any]) -> None:
    for name, answer in spec["components"]["responses"].items():
        assert set(answer["content"]) == {"application/problem+json"}, name


def shown_models() -> dict[str, type[BaseModel]]:
    models: dict[str, type[BaseModel]] = {}
    for one in ENDPOINTS:
        for model in (*one.responses.values(), one.types.get("body")):
            if model is not None:
                models[model.__name__] = model
    return models


@pytest.mark.parametrize("model", shown_models().values(), ids=shown_models())
def test_an_example_is_what_the_model_itself_accepts(spec: dict[str, Any], model: type[BaseModel]) -> None:
    [example] = spec["components"]["schemas"][model.__name__]["examples"]
    TypeAdapter(model).validate_python(example)


def test_a_parameters_example_is_what_its_schema_accepts(spec: dict[str, Any]) -> None:
    for path, methods in spec["paths"].items():
        for described in methods.values():
            for each in described.get("parameters", ()):
                if "example" in each and "pattern" in each["schema"]:
                    assert re.search(each["schema"]["pattern"], each["example"]), (path, each["name"])


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_inline_script(api: Api, page: str) -> None:
    policy = api.http.get("/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<style|\sstyle=|\son\w+=|https?://(?!127\.0\.0\.1)", page)
    assert re.findall(r"<script(.*?)>(.*?)</script>", page) == [
        (' src="static/swagger-ui/swagger-ui-bundle.js" defer', ""),
        (' src="docs.js" defer', ""),
    ]
    for path in re.findall(r'<(?:script|link) [^>]*(?:href|src)="([^"]+)"', page):
        if BUILT.exists() or not path.startswith("static/swagger-ui/"):
            assert api.http.get(path).status_code == 200, path


def test_every_request_that_the_examples_make_is_a_good_one(api: Api, spec: dict[str, Any]) -> None:
    """Swagger UI fills its forms with these examples."""
    reader = api.named("reader", "inbox", "notify")
    statuses = {}
    for path, methods in spec["paths"].items():
        for method, described in methods.items():
            examples = {each["name"]: each["example"] for each in described.get("parameters", ()) if each["required"]}
            query = {name: value for name, value in examples.items() if f"{{{name}}}" not in path}
            body = {"json": example_body(spec, described)} if "requestBody" in described else {}
            answer = reader.request(method.upper(), path.format(**examples), params=query, **body)
            statuses[f"{method.upper()} {path}"] = answer.status_code
    assert statuses.keys() == {named(one) for one in ENDPOINTS}
    # The item and the notification of the examples are not there, nor is the broker.
    refused = {call: status for call, status in statuses.items() if status not in {200, 202, 204}}
    assert set(refused.values()) <= {404, 410, 503}, refused
    assert all("{seq}" in call or "{notification_id}" in call for call, status in refused.items() if status == 404)


def example_body(spec: dict[str, Any], described: dict[str, Any]) -> Any:
    schema = resolved(spec, described["requestBody"]["content"]["application/json"]["schema"])
    return schema["examples"][0]

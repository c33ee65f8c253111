"""The document says what the API does, by an independent judge; the page says the same to people."""

import json
import re
import shlex
import subprocess
from html import unescape
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, TypeAdapter

from api.app import ENDPOINTS
from api.framework.endpoint import Endpoint
from auth.tokens import issue
from tests.api.running import SECRET, Api, answered

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
    said = operation(spec, one.method.lower(), one.path)
    assert said["summary"]
    assert said["tags"][0] in {tag["name"] for tag in spec["tags"] if tag["description"]}
    assert said["security"] == ([{"token": [one.scope]}] if one.scope else [])
    assert {int(status) for status in said["responses"] if int(status) < 400} == set(one.answers)
    assert ("Idempotency-Key" in {each["name"] for each in said.get("parameters", ())}) == one.keyed
    for kind in one.problems:
        assert kind.code in json.dumps(resolved(spec, said["responses"][str(kind.status)]))


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
        for model in (*one.answers.values(), one.types.get("body")):
            if model is not None:
                models[model.__name__] = model
    return models


@pytest.mark.parametrize("model", shown_models().values(), ids=shown_models())
def test_an_example_is_what_the_model_itself_accepts(spec: dict[str, Any], model: type[BaseModel]) -> None:
    [example] = spec["components"]["schemas"][model.__name__]["examples"]
    TypeAdapter(model).validate_python(example)


def test_a_parameters_example_is_what_its_schema_accepts(spec: dict[str, Any]) -> None:
    for path, methods in spec["paths"].items():
        for said in methods.values():
            for each in said.get("parameters", ()):
                if "example" in each and "pattern" in each["schema"]:
                    assert re.search(each["schema"]["pattern"], each["example"]), (path, each["name"])


def test_the_page_shows_every_call_and_links_to_nothing_that_is_not_there(page: str) -> None:
    for one in ENDPOINTS:
        assert f'id="{one.run.__name__}"' in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(api: Api, page: str) -> None:
    policy = api.http.get("/docs").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|\sstyle=|\son\w+=|https?://(?!127\.0\.0\.1)", page)
    for path in re.findall(r'<link [^>]*href="([^"]+)"', page):
        assert api.http.get(path).headers["Content-Type"].startswith("text/css")


def test_every_curl_line_of_the_page_is_a_good_request(api: Api, page: str) -> None:
    lines = [unescape(line) for line in re.findall(r'<pre class="curl">(curl .*?)</pre>', page, re.DOTALL)]
    assert len(lines) == len(ENDPOINTS)
    token = issue(SECRET, "reader", ["inbox", "notify"], 600)
    setting = f"export BELFRY={shlex.quote(api.url)} TOKEN={token}\n"
    told = ' -w "%{http_code}\\n" -o /dev/null\n'
    done = subprocess.run(["bash", "-c", setting + told.join(lines) + told], capture_output=True, text=True, check=True)
    statuses = dict(zip(lines, done.stdout.split(), strict=True))
    # The item and the notification of the examples are not there, nor is the broker.
    refused = {status for line, status in statuses.items() if status not in {"200", "202", "204"}}
    assert refused <= {"404", "410", "503"}, statuses
    assert all("/inbox/42" in line or "a1" in line for line, status in statuses.items() if status == "404")

"""schemathesis reads the served document and sends whatever it allows, and what it does not: every answer is in it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from auth.tokens import issue
from tests.api.running import SECRET, Api, running_api
from tests.conftest import demand_service
from tests.support.fresh import fresh_database

pytestmark = pytest.mark.slow

SEED = "20261122"
# Of what a schema allows some is refused all the same: rules about several fields, or about dates that never were.
ALL_CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")
ANSWERS = ("status_code", "content_type", "response_headers", "response_schema")
CHECKS = ("--checks", ",".join(["not_a_server_error", *(f"{answer}_conformance" for answer in ANSWERS)]))
HOW = ("--generation-deterministic", "--seed", SEED, "--continue-on-failure", "--no-color", "--warnings", "off")


@pytest.fixture(scope="module")
def module_api(module_redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API with database and broker, and an inbox with items."""
    folder = tmp_path_factory.mktemp("contract")
    with (
        fresh_database(demand_service("BELFRY_POSTGRES_URL")) as url,
        running_api(url, folder, broker_url=module_redis_url) as running,
    ):
        shop = running.named("anyone", "notify")
        items = [{"recipients": ["anyone"], "kind": "order.shipped", "title": str(n)} for n in range(30)]
        accepted = shop.post("/v1/notifications/batch", {"notifications": items}).json()["notifications"]
        running.deliver_ids([one["id"] for one in accepted])
        yield running


def judge(document: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).with_name("schemathesis"))
    command = [program, "run", document, *HOW, *more]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=170)


def test_whoever_may_do_all_gets_no_answer_that_is_not_in_the_document(module_api: Api, tmp_path: Path) -> None:
    token = issue(SECRET, "anyone", ["inbox", "notify"], 600)
    allowed = ("--header", f"Authorization: Bearer {token}", "--phases", "examples,coverage,fuzzing")
    judged = judge(f"{module_api.url}/openapi.json", tmp_path, *ALL_CHECKS, *allowed, "--max-examples", "4")
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_a_stranger_gets_no_answer_that_is_not_in_the_document(module_api: Api, tmp_path: Path) -> None:
    judged = judge(f"{module_api.url}/openapi.json", tmp_path, *CHECKS, "--phases", "fuzzing", "--max-examples", "2")
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_an_answer_that_is_not_in_the_document_is_found(module_api: Api, tmp_path: Path) -> None:
    lacking = module_api.http.get("/openapi.json").text.replace('"401":', '"451":')
    (tmp_path / "openapi.json").write_text(lacking)
    one = ("--url", module_api.url, "--include-path", "/v1/inbox/summary", "--phases", "fuzzing")
    judged = judge("openapi.json", tmp_path, *CHECKS, *one, "--max-examples", "1")
    assert judged.returncode == 1
    assert "Undocumented status code" in judged.stdout

"""The bench: that its machinery works, not how fast anything is."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import main
from bench.people import Person
from tests.conftest import demand_service

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


def bench(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "bench", *words]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False, timeout=150)


def test_a_small_bench_loses_nothing_and_says_what_each_process_cost(tmp_path: Path) -> None:
    for service in ("BELFRY_POSTGRES_URL", "BELFRY_RABBITMQ_FOLDER"):
        demand_service(service)
    small = ("--users", "5", "--posts", "50", "--seconds", "1", "--runs", "1")

    done = bench("single", *small, "--on-running", "--results", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "| lost | 0 |" in done.stdout
    [kept] = tmp_path.iterdir()
    [run] = json.loads(kept.read_text())["runs"]
    assert run["figures"]["doubled"]["value"] == 0
    assert run["figures"]["not accepted"]["value"] == 0
    assert run["figures"]["CPU of a notification: all processes"]["value"] > 0
    for process in ("api", "worker", "beat", "push", "PostgreSQL", "broker", "(generator)"):
        assert f"CPU of a notification: {process}" in run["figures"]  # of so few it may be less than the clock shows


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("single", "--users", "0"), "argument --users: '0' is not a whole number from 1"),
        (("single", "--posts", "many"), "argument --posts: 'many'"),
        (("--runs", "-1"), "argument --runs"),
        (("double",), "'double'"),
    ],
)
def test_a_bad_argument_is_named(words: tuple[str, ...], named: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)

    assert left.value.code == 2
    assert named in capsys.readouterr().err


@pytest.mark.parametrize("module", ["http", "socketio_client"])
def test_the_load_shares_no_code_with_what_it_measures(module: str) -> None:
    for node in ast.walk(ast.parse((ROOT / "bench" / f"{module}.py").read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def test_what_comes_late_or_twice_is_counted_and_what_has_two_versions_is_doubled() -> None:
    bob = Person("bob", on_sync=lambda _: None)

    for version, number in ((2, 20), (1, 10), (1, 10), (3, 20)):
        item = {"data": {"n": number}}
        bob.hear(json.dumps(["notification", {"version": version, "change": "added", "item": item}]).encode())

    assert (bob.disordered, bob.repeated, bob.doubled) == (1, 1, 1)
    assert bob.arrived.keys() == {10, 20}
    assert bob.whole == 3

"""The browser's side: its unit tests, the size of the build, and its types."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pytest

from dev.install import find_node
from dev.stack import ROOT
from tests.support.documents import CLIENTS, block
from tests.support.needs import skip_or_fail

WEB = ROOT / "web"
CLIENT_MAX_BYTES = 25_000  # gzipped, with socket.io-client
AROUND_PASTED = """
declare const api: string, push: string, getToken: () => Promise<string>;
declare function draw(items: readonly { title: string }[], unread: number, status: string): void;
"""


def run_npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    node = find_node()
    if node is None or not (WEB / "node_modules" / "vitest").exists():
        skip_or_fail("the browser's packages are not in web/node_modules; `make test` installs them")
    environ = {**os.environ, "PATH": f"{node.program.parent}:{os.environ.get('PATH', os.defpath)}", "NO_COLOR": "1"}
    command = [*node.npm, "run", "--silent", "--prefix", str(WEB), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=170)


def test_the_unit_tests_of_the_browsers_side_pass() -> None:
    done = run_npm("test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_client_library_is_small() -> None:
    script = WEB / "dist" / "belfry-client.js"
    if not script.exists():
        skip_or_fail("the browser's side is not built; `make setup` does it")
    assert len(gzip.compress(script.read_bytes())) < CLIENT_MAX_BYTES


def test_the_client_library_needs_socket_io_alone_and_its_lock_names_no_registry() -> None:
    declared = json.loads((WEB / "package.json").read_text())["dependencies"]
    others = {"esbuild", "typescript", "swagger-ui-dist"}  # in no script of ours
    assert set(declared) == {"socket.io-client"} | others
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert [name for name, package in lock.items() if "resolved" in package] == []


@pytest.mark.parametrize(("module", "resolution"), [("esnext", "bundler"), ("nodenext", "nodenext")])
def test_a_strict_typescript_consumer_is_told_what_fits_and_what_does_not(
    tmp_path: Path, module: str, resolution: str
) -> None:
    node = find_node()
    if node is None or not (WEB / "dist" / "types").exists():
        skip_or_fail("the browser's side is not built; `make setup` does it")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "belfry-web").symlink_to(WEB)  # as `npm install ../belfry/web` does
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "consumer.ts").write_text((Path(__file__).parent / "javascript" / "consumer.ts").read_text())
    (tmp_path / "pasted.ts").write_text(AROUND_PASTED + block(CLIENTS, "ts"))
    tsc = WEB / "node_modules" / "typescript" / "bin" / "tsc"
    options = [
        "--noEmit",
        "--strict",
        "--noUncheckedIndexedAccess",
        "false",
        "--lib",
        "es2022,dom",
        "--target",
        "es2022",
        "--types",
        "",
    ]
    command = [str(node.program), str(tsc), *options, "--module", module, "--moduleResolution", resolution]
    done = subprocess.run(
        [*command, "consumer.ts", "pasted.ts"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr

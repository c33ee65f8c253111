"""The browser's side as it is built: its unit tests, and how much a page has to load."""

import gzip
import json
import os
import subprocess

from ops.install import find_node
from ops.stack import ROOT
from tests.support.needs import do_without

WEB = ROOT / "web"
CLIENT_MAX_BYTES = 25_000  # gzipped, with socket.io-client


def run_npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    node = find_node()
    if node is None or not (WEB / "node_modules" / "vitest").exists():
        do_without("the browser's packages are not in web/node_modules; `make test` installs them")
    environ = {**os.environ, "PATH": f"{node.program.parent}:{os.environ.get('PATH', os.defpath)}", "NO_COLOR": "1"}
    command = [*node.npm, "run", "--silent", "--prefix", str(WEB), *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=170)


def test_the_unit_tests_of_the_browsers_side_pass() -> None:
    done = run_npm("test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_client_library_is_small() -> None:
    script = WEB / "dist" / "belfry-client.js"
    if not script.exists():
        do_without("the browser's side is not built; `make setup` does it")
    assert len(gzip.compress(script.read_bytes())) < CLIENT_MAX_BYTES


def test_the_client_library_needs_socket_io_alone_and_its_lock_names_no_registry() -> None:
    declared = json.loads((WEB / "package.json").read_text())["dependencies"]
    assert set(declared) == {"socket.io-client", "esbuild"}, "esbuild builds it, and is in nothing that is built"
    lock = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert [name for name, package in lock.items() if "resolved" in package] == []

"""Both servers listen on the addresses that BIND_HOST names."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from dev.processes import Process, free_port
from lib.listening import explain
from tests.api.running import NO_BROKER, ROOT, environment_for
from tests.push.support import push_environ
from tests.support.needs import skip_or_fail

pytestmark = pytest.mark.slow

FOUR, SIX = "127.0.0.1", "[::1]"
REACHED = {
    "::": {FOUR, SIX},
    "0.0.0.0": {FOUR},
    "127.0.0.1": {FOUR},
    "::1": {SIX},
    "localhost": {FOUR},
}


@pytest.fixture(autouse=True)
def ipv6() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        skip_or_fail("this machine has no IPv6 loopback address")


def server_command(server: str, host: str, folder: Path) -> tuple[list[str], dict[str, str], int]:
    """The command of a server, its environment and its port."""
    port = free_port()
    environments = {
        "api": environment_for(f"sqlite:///{folder}/x.db", NO_BROKER, port),
        "push": push_environ("s" * 32, NO_BROKER, port),
    }
    return [sys.executable, "-m", server], environments[server] | {"BIND_HOST": host}, port


@pytest.mark.parametrize("server", ["api", "push"])
@pytest.mark.parametrize("host", REACHED)
def test_a_server_is_reached_by_the_families_of_its_host(server: str, host: str, tmp_path: Path) -> None:
    command, env, port = server_command(server, host, tmp_path)
    process = Process(
        server, command, tmp_path / "log", env=env, cwd=ROOT, ready=lambda: reached(port), startup_timeout=60
    )
    with process:
        assert reached(port) == REACHED[host]


@pytest.mark.parametrize("server", ["api", "push"])
@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_refused_in_words(server: str, host: str, tmp_path: Path) -> None:
    command, env, _ = server_command(server, host, tmp_path)
    result = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "Set BIND_HOST to an address of this machine." in result.stderr
    assert "Traceback" not in result.stderr


def reached(port: int) -> set[str]:
    return {address for address in (FOUR, SIX) if answers(address, port)}


def answers(address: str, port: int) -> bool:
    try:
        return requests.get(f"http://{address}:{port}/healthz", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.mark.parametrize("server", ["api", "push"])
def test_a_port_below_1024_is_refused_in_words_to_an_account_that_may_not_use_it(server: str, tmp_path: Path) -> None:
    command, env, _ = server_command(server, "::1", tmp_path)
    env[f"{server.upper()}_PORT"] = "80"
    unprivileged = ["setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"] if is_root() else []
    result = subprocess.run(
        [*unprivileged, *command], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    wanted = f"Cannot listen on [::1]:80 (Permission denied). Set {server.upper()}_PORT to a port above 1023"
    assert wanted in result.stderr


def is_root() -> bool:
    return os.geteuid() == 0


@pytest.mark.parametrize(("host", "shown"), [("::", "[::]:8080"), ("::1", "[::1]:8080")])
def test_a_machine_without_ipv6_is_told_to_set_another_host(host: str, shown: str) -> None:
    """The error is constructed, because machines that run the tests have IPv6."""
    error = OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
    assert f"{shown} (Address family not supported by protocol). Set BIND_HOST" in explain(
        error, host, 8080, "API_PORT"
    )

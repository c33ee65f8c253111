"""pgbouncer in front of a PostgreSQL server."""

import os
import shutil
from pathlib import Path

from dev.install import find_pgbouncer
from dev.postgresql import PostgreSQL
from dev.processes import Process, free_port
from tests.support.needs import skip_or_fail

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server.port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
max_client_conn = 500
default_pool_size = {pool_size}
query_wait_timeout = 60
{more}
"""


class PgBouncer(Process):
    """`mode` is `session` or `transaction`; `more` are further lines of the configuration file."""

    def __init__(self, folder: Path, server: PostgreSQL, mode: str, *, pool_size: int = 20, more: str = "") -> None:
        program = find_pgbouncer()
        if program is None:
            skip_or_fail("pgbouncer is not installed; run: python -m dev.install")
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        file = folder / "pgbouncer.ini"
        file.write_text(
            CONFIGURATION.format(server=server, port=port, folder=folder, mode=mode, pool_size=pool_size, more=more)
        )
        (folder / "users").write_text(f'"belfry" "{server.password}"\n')
        self.url = f"postgresql://belfry:{server.password}@127.0.0.1:{port}/postgres"
        account = server.account if os.geteuid() == 0 else None  # it refuses to run as root, like PostgreSQL
        if account:
            for path in (folder, file, folder / "users"):
                shutil.chown(path, account)
        super().__init__("pgbouncer", [program, file], folder / "log", port=port, cwd=folder, user=account)

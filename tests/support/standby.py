"""A PostgreSQL standby server."""

import os
import subprocess
from pathlib import Path

import psycopg

from dev.postgresql import PostgreSQL, binaries
from dev.processes import StartFailed, run_as, wait_for


class Standby(PostgreSQL):
    """A copy of a running primary, with the same passwords."""

    def __init__(self, folder: Path, primary: PostgreSQL) -> None:
        super().__init__(folder)
        self._primary = primary
        self.url = self.url.replace(self.password, primary.password)

    def initialise(self) -> None:
        command: list[str | Path] = [binaries() / "pg_basebackup", "-D", self.data, "-R", "--checkpoint=fast"]
        command += ["--no-sync", "-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "belfry"]
        environ = {**os.environ, "PGPASSWORD": self._primary.password}
        account = run_as(self.account)
        done = subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, check=False, **account
        )
        if done.returncode != 0:
            raise StartFailed(f"the standby could not be made:\n{done.stderr}")

    def promote(self) -> None:
        """Promote the standby; returns when it takes writes."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
            wait_for(lambda: connection.execute("SELECT NOT pg_is_in_recovery()").fetchall()[0][0])

    def catch_up(self) -> None:
        """Wait until the standby has replayed the primary's WAL up to now."""
        with psycopg.connect(self._primary.url) as primary, psycopg.connect(self.url, autocommit=True) as own:
            [(written,)] = primary.execute("SELECT pg_current_wal_lsn()").fetchall()
            query = "SELECT pg_last_wal_replay_lsn() >= %s"
            wait_for(lambda: own.execute(query, [written]).fetchall()[0][0], what="the standby to catch up")

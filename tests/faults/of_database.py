"""The database is killed, is full, is locked, or is migrated while it is in use."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import requests

from dev.processes import run_as, wait_for
from dev.stack import ROOT
from tests.faults.house import House
from tests.faults.load import REQUEST_TIMEOUT, TOKEN_SECONDS, Crowd
from tests.faults.registry import Broken, Impossible, fault
from tests.support.stack import token_for

CALLERS = 60  # three times as many as the API has connections
HEALTHY_SECONDS = 2.0
UNAFFECTED_WITHIN = 4  # seconds until items for other inboxes arrive while one is locked; a lock wait is 0.5
LATE = """
SELECT count(*) FROM notifications WHERE coalesce(NOT recipients::jsonb ? %s, true)
AND created_at BETWEEN now() AND clock_timestamp() - make_interval(secs => %s)
AND coalesce(delivered_at, clock_timestamp()) - created_at > make_interval(secs => %s)
"""  # now() is the start of the transaction that holds the inbox
DISK_MIB = 24
MIGRATION_TRIES = 3  # it is one transaction: if the server was too busy, run it again

REVISION = '''
"""A column and an index that only the next version knows."""
from alembic import op
import sqlalchemy as sa

revision, down_revision = "9999", "{head}"

def upgrade():
    op.add_column("notifications", sa.Column("note", sa.Text()))
    op.add_column("inboxes", sa.Column("note", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_inboxes_note", "inboxes", ["note"])

def downgrade():
    op.drop_column("notifications", "note")  # first, as above: in the order in which a delivery locks the two
    op.drop_index("ix_inboxes_note", "inboxes")
    op.drop_column("inboxes", "note")
'''


@fault(short=0.5, full=5)
def database_stopped_at_once(house: House, crowd: Crowd) -> Iterator[None]:
    os.kill(house.postgresql.pid, signal.SIGQUIT)  # pg_ctl stop -m immediate
    wait_for(lambda: not house.postgresql.running, what="PostgreSQL to end")
    house.postgresql.stop()
    yield
    house.postgresql.start()


@fault(short=2, full=15)
def database_without_free_connections(house: House, crowd: Crowd) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(1_000):
            try:
                taken = stack.enter_context(psycopg.connect(house.postgresql.url, autocommit=True))
            except psycopg.OperationalError:
                break
            taken.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'belfry'")
        yield


@fault(short=2, full=15)
def connections_of_the_api_all_in_use(house: House, crowd: Crowd) -> Iterator[None]:
    """All connections wait for a locked table, and more callers wait for them. Health checks stay cheap."""
    address = f"{house.api_url}/v1/inbox/summary"
    headers = {"Authorization": f"Bearer {token_for(crowd.names[0], ttl_seconds=TOKEN_SECONDS)}"}

    def ask() -> int:
        return requests.get(address, headers=headers, timeout=REQUEST_TIMEOUT).status_code

    with ThreadPoolExecutor(CALLERS) as pool, psycopg.connect(house.postgresql.url) as holder:
        holder.execute("LOCK TABLE inboxes IN ACCESS EXCLUSIVE MODE")
        answers = [pool.submit(ask) for _ in range(CALLERS)]
        yield
        health = requests.get(f"{house.api_url}/healthz", timeout=HEALTHY_SECONDS).status_code
        holder.rollback()
        found = {answer.result() for answer in answers} | {health}
    if not found <= {200, 503}:
        raise Broken(f"answers were {found}")


@fault(short=6, full=60)
def one_inbox_locked(house: House, crowd: Crowd) -> Iterator[None]:
    victim = crowd.names[1]
    with psycopg.connect(house.postgresql.url) as holder:
        holder.execute("SELECT 1 FROM inboxes WHERE recipient_id = %s FOR UPDATE", [victim])
        yield
        late = holder.execute(LATE, [victim, UNAFFECTED_WITHIN, UNAFFECTED_WITHIN]).fetchall()[0][0]
        holder.rollback()
    if late:
        raise Broken(f"{late} notifications for others waited for the one whose inbox was locked")


@fault(short=2, full=15)
def database_without_room(house: House, crowd: Crowd) -> Iterator[None]:
    disk = house.folder / "small"
    with _small(disk, house.postgresql.account), psycopg.connect(house.postgresql.url, autocommit=True) as admin:
        admin.execute(f"CREATE TABLESPACE small LOCATION '{disk}'".encode())
        admin.execute("ALTER TABLE notifications SET TABLESPACE small")
        _fill(disk / "ballast", house.postgresql.account)
        yield
        (disk / "ballast").unlink()
        admin.execute("ALTER TABLE notifications SET TABLESPACE pg_default")
        admin.execute("CHECKPOINT")  # releases the files on it
        admin.execute("DROP TABLESPACE small")


@fault(short=0.5, full=5)
def migration_under_load(house: House, crowd: Crowd) -> Iterator[None]:
    versions = house.folder / "versions"
    versions.mkdir(exist_ok=True)
    head = str(house.query("SELECT version_num FROM alembic_version")[0][0])
    (versions / "9999_more.py").write_text(REVISION.format(head=head))
    places = f"migrations/versions{os.pathsep}{versions}"
    configuration = house.folder / "alembic.ini"
    ours = (ROOT / "alembic.ini").read_text()
    ours = ours.replace("%(here)s", str(ROOT))
    configuration.write_text(ours.replace("[alembic]", f"[alembic]\nversion_locations = {places}", 1))
    _alembic(house, configuration, "upgrade", "head")
    with house.another("worker-2"):  # the old process has query plans from before, the new one from after
        yield
        _alembic(house, configuration, "downgrade", "-1")


def _alembic(house: House, configuration: Path, *command: str) -> None:
    environ = {**house.stack.environ, "DATABASE_URL": house.postgresql.url}
    arguments: list[str | Path] = ["alembic", "-c", configuration, *command]
    for _ in range(MIGRATION_TRIES):
        done = subprocess.run(arguments, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
    raise Broken(f"alembic {command}: {done.stderr.splitlines()[-1:]}")


@contextmanager
def _small(disk: Path, account: str | None) -> Iterator[None]:
    """A small disk for the server, of a few megabytes."""
    disk.mkdir(exist_ok=True)
    command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "belfry", disk]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        raise Impossible("only root may mount a small disk")
    try:
        shutil.chown(disk, account or os.geteuid())
        yield
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def _fill(file: Path, account: str | None) -> None:
    """Fill the disk."""
    command = ["dd", "if=/dev/zero", f"of={file}", "bs=64k"]
    subprocess.run(command, capture_output=True, check=False, **run_as(account))

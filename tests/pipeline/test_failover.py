"""The database fails over while connections to the old server stay open: within seconds all goes to the new one."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from dev.postgresql import PostgreSQL
from dev.processes import accepts
from dev.rabbitmq import RabbitMQ
from dev.services import temporary_folder
from dev.stack import Stack
from tests.conftest import demand_service
from tests.faults.proxy import Proxy
from tests.support import wait_for
from tests.support.fresh import fresh_vhost
from tests.support.people import Person
from tests.support.stack import start_stack
from tests.support.standby import Standby
from workers.queues import DELIVER

WITHIN = 10.0  # seconds; two are usual


@dataclass(frozen=True)
class Site:
    stack: Stack
    primary: PostgreSQL
    standby: Standby
    proxy: Proxy


@pytest.fixture
def site() -> Iterator[Site]:
    """The system reaches its database by an address that can be turned to another server."""
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        primary = stack.enter_context(PostgreSQL(folder / "primary"))
        standby = stack.enter_context(Standby(folder / "standby", primary))
        proxy = Proxy(primary.port)
        proxy.start()
        stack.callback(proxy.stop)
        broker = stack.enter_context(fresh_vhost(RabbitMQ(Path(demand_service("BELFRY_RABBITMQ_FOLDER")))))
        parts = urlsplit(primary.url)
        url = parts._replace(netloc=f"belfry:{primary.password}@127.0.0.1:{proxy.port}").geturl()
        running = stack.enter_context(start_stack(folder, url, broker))
        yield Site(running, primary, standby, proxy)


def demote(server: PostgreSQL) -> None:
    with psycopg.connect(server.url, autocommit=True) as admin:
        admin.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        admin.execute("SELECT pg_reload_conf()")


def test_after_a_failover_everything_is_written_to_the_new_primary_and_read_from_it(site: Site) -> None:
    alice, bob = Person("alice", site.stack), Person("bob", site.stack)
    alice.message("bob", "before")
    bob.expect_stored(1)
    site.standby.catch_up()

    demote(site.primary)
    wait_for(lambda: bob.call("GET", "/readyz").status_code == 503, WITHIN, "the API to be not ready")
    assert accepts(site.primary.port)  # nobody hung up
    lost = {"to": "bob", "text": "lost"}
    for answer in (alice.call("POST", "/v1/messages", lost), bob.call("GET", "/v1/inbox")):
        assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
        assert int(answer.headers["Retry-After"]) > 0

    site.proxy.lead_to(site.standby.port)
    site.standby.promote()
    wait_for(lambda: bob.call("GET", "/readyz").status_code == 200, WITHIN, "the API to be ready")
    alice.message("bob", "after")  # written, and delivered by the worker
    assert [item["body"] for item in bob.expect_stored(2)] == ["after", "before"]
    assert site.stack["api"].running
    assert site.stack["worker"].running


def test_after_the_server_closed_all_connections_the_next_request_and_the_next_task_succeed(
    services_folder: Path, postgres_url: str, rabbitmq_url: str
) -> None:
    with start_stack(services_folder, postgres_url, rabbitmq_url) as stack:
        alice, bob = Person("alice", stack), Person("bob", stack)
        for n in range(6):
            terminate_all(postgres_url)
            alice.message("bob", f"message {n}")
            assert bob.call("POST", "/v1/inbox/seen", {"through": 1_000}).status_code == 200
            bob.expect_stored(n + 1)
        output = stack["worker"].output().splitlines()
        assert not [line for line in output if "raised" in line and DELIVER in line]


def terminate_all(database_url: str) -> None:
    """Returns when none is left that was there before, and the servers' processes have said so."""
    ours = "FROM pg_stat_activity WHERE application_name = 'belfry' AND datname = current_database()"
    with psycopg.connect(database_url, autocommit=True) as admin:
        pids = [row[0] for row in admin.execute(f"SELECT pid {ours}".encode()).fetchall()]
        admin.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])
        gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = ANY(%s))"
        wait_for(lambda: admin.execute(gone, [pids]).fetchall()[0][0], what="all to be gone")


def test_the_worker_alone_finds_the_new_primary(site: Site) -> None:
    """It has met the old one; what was accepted waits for it."""
    alice, bob = Person("alice", site.stack), Person("bob", site.stack)
    alice.message("bob", "before")
    bob.expect_stored(1)
    site.standby.catch_up()
    site.proxy.lead_to(site.standby.port)
    site.standby.promote()
    demote(site.primary)
    wait_for(lambda: bob.call("GET", "/readyz").status_code == 200, WITHIN, "the API to be ready")
    alice.message("bob", "after")
    assert [item["body"] for item in bob.expect_stored(2)] == ["after", "before"]

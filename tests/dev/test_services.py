"""Private services work, keep their data over restarts, and leave nothing behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
import redis
from kombu.connection import Connection
from kombu.transport.redis import Transport as RedisTransport
from redis.backoff import NoBackoff
from redis.retry import Retry

from dev.nginx import Nginx
from dev.postgresql import PostgreSQL
from dev.processes import PORTS, Process, StartFailed, alive, port_is_free
from dev.processes import free_port as next_free_port
from dev.rabbitmq import RabbitMQ
from dev.redis import EmbeddedRedis, Redis
from tests.support import wait_for
from tests.support.fresh import fresh_database

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RUN = [sys.executable, "-m", "dev.services", "run", "--"]
ONCE = Retry(NoBackoff(), 0)


def test_a_database_is_fresh_and_dropped_after(postgres_url: str) -> None:
    with fresh_database(postgres_url) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_stat_user_tables").fetchone() == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_postgresql_keeps_its_url_and_rows_over_a_kill(services_folder: Path) -> None:
    with PostgreSQL(services_folder / "postgresql", fsync=True) as server:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SHOW fsync").fetchone() == ("on",)
            connection.execute("CREATE TABLE kept AS SELECT 41 AS value")
        server.kill()
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SELECT value FROM kept").fetchone() == (41,)


def test_rabbitmq_carries_a_message_in_a_fresh_vhost(rabbitmq_url: str) -> None:
    with Connection(rabbitmq_url) as connection, connection.SimpleQueue("orders") as queue:
        assert queue.qsize() == 0
        queue.put({"order": 41})
        assert queue.get(timeout=5).payload == {"order": 41}


def test_two_vhosts_do_not_share_a_queue(rabbitmq_url: str) -> None:
    broker = RabbitMQ(Path(os.environ["BELFRY_RABBITMQ_FOLDER"]))
    other_url = broker.add_vhost("other")
    try:
        with Connection(rabbitmq_url) as one, Connection(other_url) as other:
            one.SimpleQueue("orders").put("ours")
            assert other.SimpleQueue("orders").qsize() == 0
    finally:
        broker.delete_vhost("other")


def test_rabbitmq_keeps_urls_and_durable_messages_over_a_restart(services_folder: Path) -> None:
    with RabbitMQ(services_folder / "rabbitmq") as broker:
        url = broker.add_vhost("shop")
        with Connection(url) as connection:
            connection.SimpleQueue("orders").put("order 41")
        pids = [*broker.process_tree(), broker.epmd.pid]
        broker.stop()
        assert_ended(pids)
        broker.start()
        with Connection(url) as connection:
            assert connection.SimpleQueue("orders").get(timeout=5).payload == "order 41"
        pids = [*broker.process_tree(), broker.epmd.pid]
    assert_ended(pids)


def test_a_redis_database_is_empty_and_carries_values(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0
        client.set("order", "41")
        assert client.get("order") == b"41"


def test_a_paused_redis_does_not_answer_until_resumed(tmp_path: Path) -> None:
    with (
        Redis(tmp_path / "redis") as server,
        redis.Redis.from_url(server.url, socket_timeout=0.2, retry=ONCE) as client,
    ):
        client.ping()
        server.pause()
        with pytest.raises(redis.exceptions.TimeoutError):
            client.ping()
        server.resume()
        assert client.ping()


def test_redis_asks_for_its_password(tmp_path: Path) -> None:
    with (
        Redis(tmp_path / "redis") as server,
        redis.Redis(port=server.port, retry=ONCE) as stranger,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        stranger.ping()


def test_the_embedded_broker_carries_a_message_and_leaves_nothing(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "log") as broker:
        with Connection(broker.url) as connection, connection.SimpleQueue("orders") as queue:
            assert isinstance(connection.transport, RedisTransport)
            queue.put("order 41")
            assert queue.get(timeout=5).payload == "order 41"
        assert broker.folder.stat().st_mode & 0o777 == 0o700
        pids = broker.process_tree()
    assert_ended(pids)
    assert not broker.folder.exists()


def test_the_embedded_broker_keeps_its_url_over_a_kill(tmp_path: Path) -> None:
    with EmbeddedRedis(tmp_path / "log") as broker:
        broker.kill()
        broker.start()
        with redis.Redis(unix_socket_path=str(broker.socket)) as client:
            assert client.ping()


def test_nginx_serves_a_given_configuration(tmp_path: Path) -> None:
    port = next_free_port()
    site = f"events {{}}\nhttp {{ server {{ listen 127.0.0.1:{port}; location / {{ return 200 'bells'; }} }} }}\n"
    with Nginx(tmp_path / "nginx", site, port) as server:
        assert urlopen(f"http://127.0.0.1:{port}/").read() == b"bells"
        pids = server.process_tree()
    assert_ended(pids)


def test_what_fails_to_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Process("broken", ["sh", "-c", "echo no such disk; exit 1"], tmp_path / "log", ready=lambda: False)
    with pytest.raises(StartFailed, match="no such disk"):
        broken.start()


def test_a_second_server_in_the_same_folder_is_refused_and_the_first_lives(tmp_path: Path) -> None:
    with Redis(tmp_path / "redis") as first:
        with pytest.raises(StartFailed, match=f"port {first.port} is taken"):
            Redis(tmp_path / "redis").start()
        with redis.Redis.from_url(first.url) as client:
            assert client.ping()


def test_what_never_gets_ready_is_ended_with_its_children(tmp_path: Path) -> None:
    script = "sleep 60 & echo started; wait"
    slow = Process("slow", ["sh", "-c", script], tmp_path / "log", ready=lambda: False, startup_timeout=0.2)
    with pytest.raises(StartFailed, match=r"waited 0.2 s(.|\n)*started"):
        slow.start()
    assert_ended([slow.pid])


def test_children_that_ignore_the_stop_are_ended(tmp_path: Path) -> None:
    script = "(trap '' TERM; sleep 60) & echo up; wait"
    parent = Process("parent", ["sh", "-c", script], tmp_path / "log", ready=lambda: "up" in parent.output())
    with parent:
        wait_for(lambda: len(parent.process_tree()) > 1, what="the child")
        pids = parent.process_tree()
    assert_ended(pids)


def test_a_zombie_does_not_count_as_running() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert alive([process.pid]) == [process.pid]
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is not reaped yet
        assert alive([process.pid]) == []


def test_waiting_says_what_it_waited_for() -> None:
    with pytest.raises(TimeoutError, match="bob's notification"):
        wait_for(lambda: False, 0.05, "bob's notification")


def test_free_ports_differ_and_are_below_the_ephemeral_ones(free_port: Callable[[], int]) -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200
    assert all(port in PORTS and port_is_free(port) for port in ports)


@pytest.fixture
def temporary(services_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """TMPDIR of the command under test; it is empty again afterwards."""
    monkeypatch.setenv("TMPDIR", str(services_folder))
    yield services_folder
    assert list(services_folder.iterdir()) == []


def test_run_gives_a_command_three_services_and_exits_with_its_code(temporary: Path) -> None:
    script = 'echo "$BELFRY_POSTGRES_URL $BELFRY_RABBITMQ_URL $BELFRY_REDIS_URL"; exit 3'
    result = subprocess.run([*RUN, "sh", "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 3
    assert [url.partition(":")[0] for url in result.stdout.split()] == ["postgresql", "amqp", "redis"]
    assert processes_that_mention(temporary) == []


def test_a_terminated_run_ends_all_it_started(temporary: Path, tmp_path: Path) -> None:
    started = tmp_path / "started"
    with subprocess.Popen([*RUN, "sh", "-c", f"touch {started}; exec sleep 60"], cwd=ROOT) as process:
        wait_for(started.exists, 60, "the command to start")
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert processes_that_mention(temporary) == []


def test_ctrl_c_in_the_midst_of_starting_leaves_nothing(temporary: Path) -> None:
    with subprocess.Popen([*RUN, "sleep", "60"], cwd=ROOT, start_new_session=True) as process:
        wait_for(lambda: len(processes_that_mention(temporary)) > 1, 60, "the services to start")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 128 + signal.SIGINT
    assert processes_that_mention(temporary) == []


def assert_ended(pids: list[int]) -> None:
    assert pids
    assert alive(pids) == []


def processes_that_mention(folder: Path) -> list[str]:
    """Command lines of running processes that have this folder in their arguments or environment."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        arguments, environ = process.info["cmdline"] or [], process.info["environ"] or {}
        if process.pid != os.getpid() and any(str(folder) in text for text in (*arguments, *environ.values())):
            found.append(" ".join(arguments))
    return found

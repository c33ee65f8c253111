"""TLS to the broker: a certificate is verified, and names the host, for tasks, sockets and rate limits alike."""

from collections.abc import Callable, Iterator

import pytest
from kombu.exceptions import OperationalError
from redis import RedisError

from api.framework.rate_limits import connection_pool
from api.pipeline.enqueue import Enqueuer
from dev.processes import free_port, wait_for
from dev.rabbitmq import CONFIG, USER, RabbitMQ
from dev.services import temporary_folder
from lib.broker_url import parse_broker_url
from push.broker.announcer import AnnounceFailed, Announcer
from push.broker.consumer import consume
from push.broker.wire import Announcement
from tests.support.redis_servers import Certificates, make_certificates, tls_redis

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def certificates() -> Iterator[Certificates]:
    with temporary_folder() as folder:
        yield make_certificates(folder)


@pytest.fixture(scope="module")
def port(certificates: Certificates) -> Iterator[int]:
    with temporary_folder() as folder, tls_redis(folder, certificates) as port:
        yield port


def enqueue(url: str) -> None:
    enqueuer = Enqueuer(url)
    enqueuer.check()
    wait_for(lambda: enqueuer.announce("bob", [1]), what="the broker to take a task within the second that it has")


def hear_what_is_announced(url: str) -> None:
    messages = consume(url)
    assert next(messages) is None
    Announcer(url).announce([Announcement("bob", {"version": 1, "change": "read"})])
    message = next(messages)
    assert message is not None
    messages.close()


def announce(url: str) -> None:
    Announcer(url).announce([Announcement("bob", {"version": 1, "change": "read"})])


def count(url: str) -> None:
    connection = connection_pool(parse_broker_url(url)).get_connection()
    connection.send_command("PING")  # type: ignore[no-untyped-call]
    assert connection.read_response() == b"PONG"


WAYS = pytest.mark.parametrize("way", [enqueue, announce, hear_what_is_announced, count])
REFUSALS = (OSError, RedisError, OperationalError, AnnounceFailed)


@WAYS
def test_with_the_authority_named_it_is_spoken_to(
    way: Callable[[str], None], port: int, certificates: Certificates
) -> None:
    way(f"rediss://localhost:{port}/0?ssl_ca_certs={certificates.authority}")


@WAYS
def test_a_certificate_of_an_authority_that_nobody_knows_is_refused(way: Callable[[str], None], port: int) -> None:
    with pytest.raises(REFUSALS):
        way(f"rediss://localhost:{port}/0")


@WAYS
def test_a_certificate_of_another_name_is_refused(
    way: Callable[[str], None], port: int, certificates: Certificates
) -> None:
    with pytest.raises(REFUSALS):
        way(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates.authority}")
    way(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificates.authority}&ssl_check_hostname=false")


@WAYS
def test_what_is_not_to_be_verified_is_believed(way: Callable[[str], None], port: int) -> None:
    way(f"rediss://localhost:{port}/0?ssl_cert_reqs=none")


def test_the_certificate_is_what_is_refused(port: int) -> None:
    with pytest.raises(Exception, match=r"(?i)certificate verify failed"):
        Enqueuer(f"rediss://localhost:{port}/0").check()


@pytest.fixture(scope="module")
def amqps_place(certificates: Certificates) -> Iterator[str]:
    """What follows the host in the URL of a RabbitMQ that speaks TLS, and the credentials that come before it."""
    with temporary_folder() as folder:
        broker, port = RabbitMQ(folder / "rabbitmq"), free_port()
        config = CONFIG.format(port=broker.port, user=USER, password=broker.password)
        files = {
            "cacertfile": certificates.authority,
            "certfile": certificates.certificate,
            "keyfile": certificates.key,
        }
        lines = [
            f"listeners.ssl.1 = 127.0.0.1:{port}",
            *(f"ssl_options.{name} = {path}" for name, path in files.items()),
        ]
        broker.folder.mkdir(exist_ok=True)
        (broker.folder / "rabbitmq.conf").write_text(config + "\n".join(lines) + "\n")
        with broker:
            yield f"amqps://{USER}:{broker.password}@{{}}:{port}/%2F"


@pytest.mark.parametrize("way", [enqueue, hear_what_is_announced])
def test_rabbitmq_is_verified_for_each_host_by_its_own_name(
    way: Callable[[str], None], amqps_place: str, certificates: Certificates
) -> None:
    named, other = amqps_place.format("localhost"), amqps_place.format("127.0.0.1")
    authority = f"?ssl_ca_certs={certificates.authority}"
    way(named + authority)
    way(f"{other};{named}{authority}")
    for refused in (named, other + authority):
        with pytest.raises(REFUSALS):
            way(refused)
    way(f"{other}?ssl_cert_reqs=none")

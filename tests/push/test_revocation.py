"""A token that was taken back opens no socket and holds none open, on any push server, whatever was missed."""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from dev.processes import wait_for
from models.db.database import Database
from models.revocations import revoke
from models.schema.revocations import revocations
from push.broker.announcer import Announcer
from tests.push.clients import RawSocket, Screen
from tests.push.support import PushProcess, added, lose_the_subscription, wait_until_ready

Turn = Callable[..., Screen]
Start = Callable[..., PushProcess]
UNAUTHORIZED = {"message": "unauthorized", "data": {"code": "unauthorized"}}


def token(server: PushProcess, owner: str, age: float) -> str:
    """Issued so many seconds ago, good for an hour."""
    issued = int(time.time() - age)
    claims = {"sub": owner, "scope": "inbox", "iat": issued, "exp": issued + 3600}
    return jwt.encode(claims, server.secret, algorithm="HS256")


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def take_back(broker_url: str, *users: str, when: datetime) -> None:
    announcer = Announcer(broker_url)
    for user in users:
        announcer.revoke(user, when)
    announcer.close()


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """A database that knows no revocation yet."""
    make_room(sqlite_url)
    return sqlite_url


def make_room(url: str) -> None:
    database = Database(url)
    revocations.create(database.engine)
    database.dispose()


def remember(url: str, user: str, when: datetime) -> None:
    """As the API does, but nobody is told."""
    database = Database(url)
    with database.transaction() as conn:
        revoke(conn, user, when)
    database.dispose()


@pytest.fixture
def raw_socket() -> Iterator[Callable[[PushProcess, str], RawSocket]]:
    opened: list[RawSocket] = []

    def connect(server: PushProcess, jwt: str) -> RawSocket:
        opened.append(RawSocket(server.port))
        assert opened[-1].open(jwt)["packet"] == "40"
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


Connect = Callable[[PushProcess, str], RawSocket]


def test_sockets_of_a_revoked_user_are_closed_on_every_push_server_and_those_of_others_and_of_new_tokens_stay(
    start_push: Start, broker_url: str, raw_socket: Connect
) -> None:
    servers = [start_push(broker_url), start_push(broker_url)]
    old = [raw_socket(server, token(server, "bob", age=100)) for server in servers for _ in range(2)]
    new = raw_socket(servers[0], token(servers[0], "bob", age=0))
    alice = raw_socket(servers[0], token(servers[0], "alice", age=100))
    take_back(broker_url, "bob", when=ago(50))
    for one in old:
        assert one.closes_within(5) < 5
    servers[0].announce(added("bob", 1), added("alice", 2))
    for one in (new, alice):
        assert (one.read_text() or "").startswith('42["notification"')
    assert 'belfry_push_disconnects_total{reason="revoked"} 2.0' in servers[1].get("/metrics").text


def test_a_token_issued_before_is_refused_at_connect_and_at_authenticate_like_any_bad_one(
    start_push: Start, redis_url: str, screen: Turn
) -> None:
    server = start_push(redis_url)
    silent = jwt.encode({"sub": "bob", "scope": "inbox", "exp": int(time.time()) + 60}, server.secret, "HS256")
    bob = screen(server, "bob", token=token(server, "bob", age=0))
    other = screen(server, "bob", token=token(server, "bob", age=100))
    take_back(redis_url, "bob", when=ago(50))
    assert other.expect("disconnect")
    for refused in (token(server, "bob", age=100), silent):
        assert screen(server, "bob", token=refused).refusal == UNAUTHORIZED
        answer = bob.ask("authenticate", {"token": refused})
        assert answer == {"ok": False, "error": {"code": "unauthorized"}}
    assert screen(server, "bob", token=token(server, "bob", age=10)).refusal is None
    assert bob.ask("authenticate", {"token": token(server, "bob", age=10)})["ok"]


def test_a_client_that_renewed_its_token_keeps_its_socket_when_the_first_is_taken_back(
    start_push: Start, redis_url: str, screen: Turn
) -> None:
    server = start_push(redis_url)
    bob = screen(server, "bob", token=token(server, "bob", age=100))
    assert bob.ask("authenticate", {"token": token(server, "bob", age=0)})["ok"]
    take_back(redis_url, "bob", when=ago(50))
    server.announce(added("bob", 1))
    bob.expect_versions(1)


HOSTILE_IDS: Sequence[str] = ["1,2", "../", "__proto__", "user:bob", "*", "☂" * 255, "'; DROP TABLE revocations; --"]


def test_revoking_a_hostile_id_touches_nobody_else(start_push: Start, redis_url: str, raw_socket: Connect) -> None:
    server = start_push(redis_url)
    bob = raw_socket(server, token(server, "bob", age=100))
    others = [raw_socket(server, token(server, name, age=100)) for name in HOSTILE_IDS]
    take_back(redis_url, *HOSTILE_IDS, when=ago(50))
    for other in others:
        other.closes_within(5)
    server.announce(added("bob", 1))
    assert (bob.read_text() or "").startswith('42["notification"')


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_taken_back_while_no_push_server_ran_is_known_from_the_start(
    start_push: Start, redis_url: str, screen: Turn, request: pytest.FixtureRequest, kind: str
) -> None:
    url = request.getfixturevalue(f"{kind}_url")
    make_room(url)
    remember(url, "bob", ago(50))
    server = start_push(redis_url, DATABASE_URL=url)
    assert screen(server, "bob", token=token(server, "bob", age=100)).refusal == UNAUTHORIZED
    assert screen(server, "bob", token=token(server, "bob", age=10)).refusal is None
    assert screen(server, "alice", token=token(server, "alice", age=100)).refusal is None


def test_what_was_taken_back_unheard_is_found_when_the_broker_is_heard_again(
    start_push: Start, broker_url: str, database_url: str, raw_socket: Connect
) -> None:
    server = start_push(broker_url, DATABASE_URL=database_url)
    bob = raw_socket(server, token(server, "bob", age=100))
    remember(database_url, "bob", ago(50))
    lose_the_subscription(broker_url)
    bob.closes_within(15)


def test_without_its_database_it_starts_serves_says_so_and_closes_what_should_not_be_open_when_it_is_there(
    start_push: Start, redis_url: str, sqlite_url: str, raw_socket: Connect
) -> None:
    server = start_push(redis_url, ready="/healthz", DATABASE_URL=sqlite_url)
    bob = raw_socket(server, token(server, "bob", age=100))
    wait_for(lambda: "broker_connected" in server.log(), what="the broker to be heard")
    answer = server.get("/readyz")
    assert answer.status_code == 503
    assert [error["field"] for error in answer.json()["errors"]] == ["database"]
    assert "belfry_push_revocations_loaded 0.0" in server.get("/metrics").text
    take_back(redis_url, "carol", when=ago(50))
    refused = RawSocket(server.port).open(token(server, "carol", age=100))
    assert refused["data"] == {"code": "unauthorized"}
    make_room(sqlite_url)
    remember(sqlite_url, "bob", ago(50))
    bob.closes_within(15)
    wait_until_ready(server)

"""Clients that misbehave, or connect all at once."""

import itertools
import json
import socket
import time
import zlib
from collections.abc import Iterator
from urllib.parse import quote

from websocket import create_connection

from bench.attack import attack
from dev.processes import wait_for
from tests.faults.house import House
from tests.faults.load import Crowd, produce
from tests.faults.many import Many, most_by_chance
from tests.faults.registry import Broken, fault
from tests.support.stack import token_for

BATCHES = 50
BATCH = 25
BODY = "b" * 9_000  # in all more than the kernel's buffers and the server's queue hold
SMALL_BUFFER = ((socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096),)
WARM_UP = 500  # packets
GROWTH_MAX = 10 * 2**20  # bytes
LOG_MAX = 4 * 2**20  # characters
AT_ONCE = 1_000  # subscribers in one request


@fault(short=1, full=10)
def client_that_does_not_read(house: House, crowd: Crowd) -> Iterator[None]:
    name, push = f"deaf friend of {crowd.names[0]}", house["push"]
    before = push.output()
    address = house.push_urls[0].replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    deaf = create_connection(address, timeout=10, suppress_origin=True, sockopt=SMALL_BUFFER)
    try:
        deaf.recv()
        deaf.send("40" + json.dumps({"token": token_for(name)}))
        for _ in range(BATCHES):
            _post_many(house, name)
        yield
        if "transport_closed" not in push.output().removeprefix(before):
            raise Broken("a client that does not read was not cut off")
    finally:
        deaf.shutdown()  # type: ignore[no-untyped-call]


@fault(short=0, full=0)
def clients_that_send_hostile_packets(house: House, crowd: Crowd) -> Iterator[None]:
    push, seed = house["push"], zlib.crc32(crowd.topic.encode())
    tokens = (token_for(f"mallory {number} of {crowd.topic}") for number in itertools.count())
    attack(house.push_ports[0], seed ^ 1, WARM_UP, tokens)  # memory that is allocated once
    memory, log = house.memory()["push"], len(push.output())
    attack(house.push_ports[0], seed, crowd.pace.packets, tokens)
    yield
    grown, written = house.memory()["push"] - memory, push.output()[log:]
    if grown > GROWTH_MAX:
        raise Broken(f"a push server grew by {grown >> 10} KiB")
    if len(written) > LOG_MAX or " ERROR " in written or "Traceback" in written:
        raise Broken(f"a push server logged {len(written)} characters, {written.count(' ERROR ')} errors among them")


@fault(short=0, full=0)
def many_clients_reconnecting(house: House, crowd: Crowd) -> Iterator[None]:
    """Their push server is killed, and all of them are notified before it is back."""
    push, names = house["push"], [f"one of many, {crowd.topic}, {number}" for number in range(crowd.pace.many)]
    topic = f"news for many, {crowd.topic}"
    for start in range(0, len(names), AT_ONCE):
        path = f"/v1/topics/{quote(topic, safe='')}/subscribers"
        produce(house, "PUT", path, {"add": names[start : start + AT_ONCE]})
    many = Many(house.api_url, house.push_urls[0], names)
    with many.online():
        push.kill()
        killed = time.monotonic()
        produce(house, "POST", "/v1/notifications", {"topic": topic, "kind": "offer", "title": "To all of you"})
        push.start()
        down_seconds = time.monotonic() - killed
        yield
        try:
            wait_for(lambda: many.have(1), crowd.pace.converged_within, "all to be back, with what they missed")
        except TimeoutError as late:
            raise Broken(str(late)) from None
        busiest = many.busiest_second(killed)
    if busiest > most_by_chance(len(names), down_seconds):
        raise Broken(f"{len(names)} clients that came back asked the API {busiest} times within a second")


def _post_many(house: House, name: str) -> None:
    one = {"recipients": [name], "kind": "offer", "title": "Unheard", "body": BODY}
    produce(house, "POST", "/v1/notifications/batch", {"notifications": [one] * BATCH})

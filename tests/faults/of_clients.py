"""Clients that behave badly, or come all at once."""

import json
from collections.abc import Iterator

import requests
from websocket import create_connection

from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import fault
from tests.support.stack import token_for

BATCHES = 10
BATCH = 100
BODY = "b" * 2_000


@fault(short=1, full=10)
def client_that_does_not_read(house: House, crowd: Crowd) -> Iterator[None]:
    name = f"deaf friend of {crowd.names[0]}"
    address = house.push_urls[0].replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    socket = create_connection(address, timeout=10, suppress_origin=True)
    try:
        socket.recv()
        socket.send("40" + json.dumps({"token": token_for(name)}))
        for _ in range(BATCHES):
            _post_many(house, name)
        yield
    finally:
        socket.shutdown()  # type: ignore[no-untyped-call]


def _post_many(house: House, name: str) -> None:
    one = {"recipients": [name], "kind": "offer", "title": "Unheard", "body": BODY}
    headers = {"Authorization": f"Bearer {token_for('shop', 'notify')}"}
    url = f"{house.api_url}/v1/notifications/batch"
    requests.post(url, json={"notifications": [one] * BATCH}, headers=headers, timeout=15).raise_for_status()

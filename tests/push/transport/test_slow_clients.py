"""A client that does not read costs little memory, delays nobody, and is cut off."""

import os
from collections.abc import Callable

import pytest
import requests

from dev.processes import wait_for
from tests.push.clients import RawSocket, Screen
from tests.push.support import PushProcess, added, memory_of

OpenScreen = Callable[..., Screen]


def open_files(push: PushProcess) -> int:
    return len(os.listdir(f"/proc/{push.process.pid}/fd"))


def test_a_client_that_does_not_read_is_cut_off_while_memory_stays_and_others_are_served(
    push: PushProcess, screen: OpenScreen
) -> None:
    bob = screen(push, "bob")
    push.announce(added("bob", 0))
    bob.expect_versions(0)
    files, memory = open_files(push), memory_of(push)
    deaf = RawSocket(push.port, receive_buffer=4096)
    deaf.open(push.token("deaf"))
    for batch in range(20):
        push.announce(*(added("deaf", version, "x" * 1000) for version in range(500)), added("bob", batch + 1))
    bob.expect_versions(*range(1, 21))
    wait_for(lambda: "transport_closed" in push.log(), what="the client to be cut off")
    wait_for(lambda: open_files(push) <= files, what="its socket to be closed")
    assert memory_of(push) - memory < 10_000_000
    deaf.closes_within(5)


@pytest.mark.parametrize(("packets", "body"), [(1_100, ""), (20, "x" * 60_000)], ids=["many", "large"])
def test_a_polling_client_that_does_not_poll_is_cut_off(push: PushProcess, packets: int, body: str) -> None:
    opened = push.get("/socket.io/?EIO=4&transport=polling").text
    sid = opened.partition('"sid":"')[2].partition('"')[0]
    session = f"/socket.io/?EIO=4&transport=polling&sid={sid}"

    greeting = f'40{{"token":"{push.token("lazy")}"}}'
    assert requests.post(push.url + session, data=greeting, timeout=5).ok
    before = push.log().count("transport_closed")
    push.announce(*(added("lazy", version, body) for version in range(packets)))
    wait_for(lambda: push.log().count("transport_closed") > before, what="the client to be cut off")
    assert push.get(session).status_code == 400


def test_a_slow_client_is_not_cut_off_by_a_burst_that_fits(push: PushProcess) -> None:
    slow = RawSocket(push.port, receive_buffer=4096)
    slow.open(push.token("slow"))
    push.announce(*(added("slow", version) for version in range(900)))
    seen = [slow.read_text() or "" for _ in range(900)]
    assert all(text.startswith('42["notification"') for text in seen)
    slow.close()

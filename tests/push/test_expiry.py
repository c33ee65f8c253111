"""A token's end: the client is warned, may bring a new one, and is disconnected when it does not."""

import time
from collections.abc import Callable

from tests.push.clients import RawSocket, Screen
from tests.push.support import PushProcess, added

Turn = Callable[..., Screen]


def test_a_client_is_warned_and_disconnected_when_its_token_expires_and_shown_nothing_after(
    push: PushProcess, screen: Turn
) -> None:
    ends = time.time() + 5
    bob, other = screen(push, "bob", token=push.token("bob", seconds=5)), screen(push, "bob")
    warning = bob.expect("token_expiring")
    assert warning["expires_at"].endswith("Z")
    assert -1.5 < ends - time.time() < 3
    assert bob.expect("disconnect") == "server disconnect"
    assert -1 < time.time() - ends < 3
    push.announce(added("bob", 1))
    other.expect_versions(1)
    assert bob.shown.empty()


def test_a_client_that_authenticates_again_stays_beyond_its_first_tokens_end(push: PushProcess, screen: Turn) -> None:
    bob = screen(push, "bob", token=push.token("bob", seconds=4))
    bob.expect("token_expiring")
    assert bob.ask("authenticate", {"token": push.token("bob", seconds=8)})["ok"]
    assert bob.expect("token_expiring")  # of the second token: the first one's end brought no disconnect
    push.announce(added("bob", 1))
    bob.expect_versions(1)


def test_the_transport_of_a_client_whose_token_expired_is_closed(push: PushProcess) -> None:
    bob = RawSocket(push.port)
    bob.open(push.token("bob", seconds=2))
    assert bob.closes_within(6) > 0.5

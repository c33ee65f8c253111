"""Whatever clients send: their connection ends, others are served, and neither memory nor the log grows with it.

The long form, a hundred thousand packets, is `python -m bench.hostile`.
"""

import itertools
import random

import pytest

from bench.attack import attack
from dev.processes import wait_for
from tests.push.clients import RawSocket
from tests.push.support import PushProcess, added, memory_of

pytestmark = pytest.mark.slow

PACKETS = 1_500


@pytest.mark.parametrize("known", [True, False], ids=["known seed", "new seed"])
def test_fuzzed_packets_end_at_most_their_own_connection_and_leave_neither_memory_nor_a_long_log(
    push: PushProcess, known: bool
) -> None:
    seed = 1 if known else random.randrange(1 << 32)
    print(f"seed {seed}")
    bob = RawSocket(push.port)
    bob.open(push.token("bob"))
    tokens = (push.token(f"mallory {number}") for number in itertools.count())
    attack(push.port, seed ^ 1, PACKETS // 5, tokens)  # whatever is allocated once
    memory, log = memory_of(push), len(push.log())
    assert attack(push.port, seed, PACKETS, tokens) > PACKETS / 100
    push.announce(added("bob", 1))
    assert (bob.read_text() or "").startswith('42["notification"')
    bob.close()
    wait_for(lambda: "belfry_push_transports 0.0" in push.get("/metrics").text, 20, "all to be gone")
    assert memory_of(push) - memory < 8_000_000
    assert len(push.log()) - log < 500_000
    assert " ERROR " not in push.log()
    assert "Traceback" not in push.log()

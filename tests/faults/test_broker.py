"""Nothing is lost when the broker is killed, freezes, is full, or closes connections."""

import pytest

from tests.faults.conftest import PlayShort
from tests.faults.faults import short_faults


@pytest.mark.timeout(300)  # the first one starts the system
@pytest.mark.parametrize("name", short_faults("of_broker"))
def test_what_was_accepted_arrives_once_and_every_screen_converges(name: str, play_short: PlayShort) -> None:
    play_short(name)

"""Nothing is lost, whichever process dies, between whichever two lines."""

import pytest

from tests.faults.conftest import PlayShort
from tests.faults.faults import short_faults


@pytest.mark.timeout(300)  # the first one starts the system
@pytest.mark.parametrize("name", short_faults("of_processes", "of_poison"))
def test_what_was_accepted_arrives_once_and_every_screen_converges(name: str, play_short: PlayShort) -> None:
    play_short(name)

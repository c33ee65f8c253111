"""One system for the faults of a module; each fault lasts as briefly as shows its effect."""

from collections.abc import Callable, Iterator

import pytest

from tests.conftest import demand_service
from tests.faults.episode import play
from tests.faults.faults import FAULTS
from tests.faults.house import House, open_house
from tests.faults.pace import Pace
from tests.faults.run import headline, line

SEED = "short"
PlayShort = Callable[[str], None]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A system with a database and a broker of its own."""
    demand_service("BELFRY_POSTGRES_URL")  # not used: it shows that the programs are installed
    demand_service("BELFRY_RABBITMQ_FOLDER")
    with open_house() as house:
        yield house


@pytest.fixture(scope="module")
def memory(house: House) -> dict[str, int]:
    """The memory of the processes before the first fault."""
    return house.memory()


@pytest.fixture
def play_short(house: House, memory: dict[str, int]) -> PlayShort:
    """Inject this fault once; every invariant must hold."""

    def play_once(name: str) -> None:
        house.see_all_well()
        outcome = play(house, FAULTS[name], f"{SEED} {name}", Pace(), memory)
        if outcome.impossible:
            pytest.skip(outcome.impossible)
        assert outcome.ok, f"\n{headline()}\n{line(outcome)}"

    return play_once

"""The connections of api and worker to their services become slow, silent, or lose answers."""

from collections.abc import Iterator

from tests.faults.house import House
from tests.faults.load import Crowd
from tests.faults.registry import fault

SLOW_SECONDS = 0.3


@fault(short=3, full=15)
def answers_of_the_database_swallowed(house: House, crowd: Crowd) -> Iterator[None]:
    house.to_database.swallow_answers()
    yield
    house.to_database.heal()


@fault(short=3, full=15)
def answers_of_the_broker_swallowed(house: House, crowd: Crowd) -> Iterator[None]:
    house.to_broker.swallow_answers()
    yield
    house.to_broker.heal()


@fault(short=3, full=15)
def database_slow(house: House, crowd: Crowd) -> Iterator[None]:
    house.to_database.slow_down(SLOW_SECONDS)
    yield
    house.to_database.heal()


@fault(short=3, full=15)
def broker_slow(house: House, crowd: Crowd) -> Iterator[None]:
    house.to_broker.slow_down(SLOW_SECONDS)
    yield
    house.to_broker.heal()


@fault(short=4, full=30)
def wire_to_the_database_silent(house: House, crowd: Crowd) -> Iterator[None]:
    house.to_database.fall_silent()
    yield
    house.to_database.heal()


@fault(short=4, full=30)
def wire_to_the_broker_silent(house: House, crowd: Crowd) -> Iterator[None]:
    house.to_broker.fall_silent()
    yield
    house.to_broker.heal()

"""A notification whose delivery is blocked midway, so that the worker that delivers it can be killed there."""

from collections.abc import Iterator
from contextlib import contextmanager

from dev.processes import wait_for
from tests.faults.house import House
from tests.faults.load import Crowd, produce

TAKEN_SECONDS = 20.0  # until a worker is delivering it
HOLD_UP = """
CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
CREATE TRIGGER hold_up BEFORE INSERT ON inbox_items FOR EACH ROW WHEN (NEW.kind = 'slow') EXECUTE FUNCTION hold_up()
"""
IN_HAND = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
LET_GO = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@contextmanager
def held_up(house: House, crowd: Crowd) -> Iterator[str]:
    """Yield its id. A worker is delivering it when the block begins; after the block it is like any other."""
    house.query(HOLD_UP)
    try:
        slow = {"recipients": [f"friend of {crowd.names[0]}"], "kind": "slow", "title": "Mind the step"}
        id_ = str(produce(house, "POST", "/v1/notifications", slow)["id"])
        wait_for(lambda: in_hand(house), TAKEN_SECONDS, "somebody to have it in hand")
        yield id_
    finally:
        let_go(house)
        house.query("DROP FUNCTION hold_up CASCADE")


def in_hand(house: House) -> bool:
    return bool(house.query(IN_HAND))


def let_go(house: House) -> None:
    """End the sessions of a killed worker: the database would not notice that their client is gone."""
    house.query(LET_GO)

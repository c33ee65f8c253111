"""A message that came back may be what its worker died of: whoever has it next counts the attempt before it is made."""

import subprocess
import sys

import pytest

from dev.stack import ROOT, command_environment
from models.delivery.fanout import PARTS

ENVIRON = {"DATABASE_URL": "sqlite:///x.db", "BROKER_URL": "amqp://host//", "JWT_SECRET": "x" * 32, "JWT_JWKS_URL": ""}
IDS = ["01a20320-a200-74af-9041-65bc98de2849", "01a20320-a200-74af-9050-7b2c12d3082c"]
WITHDRAW_TOGETHER = f"""
from workers.tasks import withdraw

def die(*_):
    raise SystemExit("it is tried as before, and kills the next worker")

withdraw.withdrawal.withdraw_named = die
withdraw.withdraw.delay = lambda id_, again: print(id_, again)
withdraw.withdraw_named.push_request(delivery_info={{"redelivered": True}})
withdraw.withdraw_named.run({IDS})
"""
GO_ON = f"""
from models.delivery.fanout import Chunk
from workers.tasks import fan_out

fan_out.run_chunk = lambda *_, counted: Chunk([], finished=False)
fan_out.fan_out.delay = print
fan_out.fan_out.push_request(delivery_info={{"redelivered": REDELIVERED}})
fan_out.fan_out.run({IDS[0]!r})
"""


def run(script: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=command_environment(ENVIRON),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_those_that_were_withdrawn_together_are_tried_each_for_itself_and_counted() -> None:
    assert run(WITHDRAW_TOGETHER) == [f"{id_} True" for id_ in IDS]


@pytest.mark.parametrize(("redelivered", "side_by_side"), [(False, 1), (True, PARTS)])
def test_a_fan_out_that_lost_its_workers_goes_on_in_all_its_parts(redelivered: bool, side_by_side: int) -> None:
    assert run(GO_ON.replace("REDELIVERED", str(redelivered))) == [IDS[0]] * side_by_side

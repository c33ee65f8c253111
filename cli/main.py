"""`python -m cli`: the operator's commands. They need the database alone (DATABASE_URL).

Exit codes: 0 when everything was done, 1 when something could not be done, 2 when the arguments or the environment
cannot be used.
"""

import click

from cli.new_epoch import new_epoch
from cli.parked import parked
from cli.recount import recount

COMMANDS = (
    new_epoch,
    parked,
    recount,
)


@click.group(commands=COMMANDS)
def main() -> None:
    """Operate Belfry. The commands use the database that DATABASE_URL names."""

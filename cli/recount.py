"""`python -m cli recount [--repair]`: compare the counts of every inbox with its items, and repair them."""

import click

from cli.database import with_database
from models.db.database import Database
from models.inbox import recount as counts


@click.command()
@click.option("--repair", is_flag=True, help="Set wrong counts to the numbers of items.")
@with_database
def recount(database: Database, *, repair: bool) -> None:
    """Verify the counts of every inbox.

    Exits 1 if counts are wrong and were not repaired. Inboxes stay usable meanwhile.
    """
    checked, wrong = 0, 0
    for checked, miscounts in counts.recount(database, repair=repair):
        for miscount in miscounts:
            click.echo(miscount)
        wrong += len(miscounts)
        click.echo(f"{checked} inboxes, {wrong} wrong", err=True)
    outcome = "repaired" if repair else "wrong"
    click.echo(f"{checked} inboxes looked at, {wrong} {outcome}.")
    if wrong and not repair:
        raise click.exceptions.Exit(1)

"""`python -m cli new-epoch`: make every client load its inbox again, after the database was restored from a backup."""

import click

from cli.database import with_database
from models.db.database import Database
from models.inbox.epoch import begin_new_epoch


@click.command("new-epoch")
@with_database
def new_epoch(database: Database) -> None:
    """Start a new epoch after a restore from a backup.

    The restored database assigns versions again that clients already hold, for other changes. Clients that see a new
    epoch load their inboxes again.
    """
    with database.transaction() as conn:
        epoch = begin_new_epoch(conn)
    click.echo(f"The epoch is {epoch} from now on; every client loads its inbox anew.")

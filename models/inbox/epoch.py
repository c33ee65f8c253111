"""`python -m models.inbox.epoch`: say, after a restore from a backup, that what follows is another history.

Versions that clients hold are given out a second time, for other changes: by the new epoch they know, and load their
inboxes anew.
"""

import argparse
import sys
from collections.abc import Sequence
from uuid import UUID, uuid4

from sqlalchemy import update

from models.db.database import Database, DatabaseUnavailable, Session
from models.tables import history
from settings import DATABASE, SettingsError, load_settings


def begin_another_history(session: Session) -> UUID:
    epoch = uuid4()
    session.execute(update(history).values(epoch=epoch))
    return epoch


def main(arguments: Sequence[str]) -> int:
    argparse.ArgumentParser(prog="python -m models.inbox.epoch", description=__doc__).parse_args(arguments)
    try:
        settings = load_settings(uses=DATABASE)
        database = Database(settings.database_url, pooler=settings.database_pooler)
        database.check()
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    except DatabaseUnavailable as error:
        print(f"The database cannot be used ({error}). Look at DATABASE_URL.", file=sys.stderr)
        return 1
    with database.write() as session:
        epoch = begin_another_history(session)
    print(f"The epoch is {epoch} from now on; every client loads its inbox anew.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The epoch: an id of this database's history, which changes when the database is restored from a backup.

After a restore, versions that clients already hold are assigned again, for other changes. Clients that see a new epoch
load their inboxes again.
"""

from uuid import UUID, uuid4

from sqlalchemy import update

from models.db.database import Connection
from models.schema.inbox import epoch


def begin_new_epoch(conn: Connection) -> UUID:
    new = uuid4()
    conn.execute(update(epoch).values(epoch=new))
    return new

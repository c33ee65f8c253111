"""Announces the changes that a recipient's own device made."""

from models.inbox import reading
from workers.announcing import announce_changes
from workers.celery import app, database
from workers.queues import ANNOUNCE


@app.task(name=ANNOUNCE)
def announce(recipient_id: str, versions: list[int]) -> None:
    """Tell a recipient's other devices what one of them changed."""
    with database.snapshot() as conn:
        changes = reading.change_log(conn, recipient_id, versions)
    announce_changes(changes)

"""The tasks. Each is thin: store, commit, announce. They take ids, never content."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from models import delivery, inbox, notifications
from models.rendering import Change
from push.announcer import AnnounceFailed
from push.wire import Announcement
from workers.celery import announcer, app, database
from workers.queues import ANNOUNCE, DELIVER, FAN_OUT, RELAY

log = logging.getLogger(__name__)

FANOUT_CHUNK = 500  # recipients in one transaction: their inboxes are locked for some tens of milliseconds
RELAY_AT_MOST = 5_000  # notifications a tick: an overload is not fed
RELAY_TOGETHER = 200  # notifications a task


@app.task(name=DELIVER)
def deliver(ids: list[str]) -> None:
    """Write the items of these notifications and announce them; what is for many is left to fan-outs."""
    wanted = [UUID(one) for one in ids]
    with database.write() as session:
        arrivals = delivery.deliver(session, wanted, datetime.now(UTC))
        wide = delivery.wide(session, wanted)
    tell(arrivals)
    for notification_id in wide:
        fan_out.delay(str(notification_id))


@app.task(name=FAN_OUT)
def fan_out(notification_id: str) -> None:
    """Deliver to a topic's recipients, or to everyone, chunk by chunk; after a kill it goes on where it was."""
    finished = False
    while not finished:
        with database.write() as session:
            chunk = delivery.fan_out(session, UUID(notification_id), FANOUT_CHUNK, datetime.now(UTC))
        tell(chunk.arrivals)
        finished = chunk.finished


@app.task(name=ANNOUNCE)
def announce(recipient_id: str, versions: list[int]) -> None:
    """Tell a recipient's other devices what one of them changed."""
    with database.read() as session:
        changes = inbox.change_log(session, recipient_id, versions)
    tell(changes)


@app.task(name=RELAY)
def relay() -> None:
    """Enqueue what was accepted and is not delivered, and what has become due."""
    with database.write() as session:
        due = notifications.due(session, datetime.now(UTC), RELAY_AT_MOST)
    for start in range(0, len(due), RELAY_TOGETHER):
        deliver.delay([str(one) for one in due[start : start + RELAY_TOGETHER]])
    if due:
        log.info("relayed count=%d", len(due))


def tell(changes: Sequence[Change]) -> None:
    """Announce changes that are committed. A lost announcement is found by the gap in the versions: never retried."""
    try:
        announcer.announce([Announcement(change.recipient_id, change.announced()) for change in changes])
    except AnnounceFailed as error:
        log.warning("announce_failed count=%d reason=%s", len(changes), error)

"""Announcing what is committed."""

import logging
from collections.abc import Sequence

from models.delivery import items
from models.inbox.rendering import Change, render_arrived
from push.broker.announcer import AnnounceFailed
from push.broker.wire import Announcement, Arrivals
from workers.celery import announcer

log = logging.getLogger(__name__)


def tell(changes: Sequence[Change]) -> None:
    """Announce changes that are committed. A lost announcement is found by the gap in the versions: never retried."""
    try:
        if isinstance(changes, items.Arrivals):
            announcer.announce_arrivals(_as_announced(changes))
        else:
            announcer.announce([Announcement(change.recipient_id, change.announced()) for change in changes])
    except AnnounceFailed as error:
        log.warning("announce_failed count=%d reason=%s", len(changes), error)


def _as_announced(arrivals: items.Arrivals) -> Arrivals:
    columns = vars(arrivals).copy()
    return Arrivals([render_arrived(content) for content in columns.pop("contents")], **columns)

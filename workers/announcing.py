"""Announces committed changes to the push servers. Failures are logged, not retried: clients see the version gap."""

import logging
from collections.abc import Callable, Sequence

from lib.rendering.delivered_items import DeliveredItems
from models.inbox.rendering import Change
from push.broker.announcer import AnnounceFailed
from push.broker.wire import Announcement
from workers.celery import announcer

log = logging.getLogger(__name__)


def announce_items(items: DeliveredItems) -> None:
    """Announce delivered items."""
    _announce(len(items), lambda: announcer.announce_items(items))


def announce_changes(changes: Sequence[Change]) -> None:
    """Announce changes of state, withdrawals among them."""
    announcements = [Announcement(change.recipient_id, change.announced()) for change in changes]
    _announce(len(announcements), lambda: announcer.announce(announcements))


def _announce(count: int, publish: Callable[[], None]) -> None:
    try:
        publish()
    except AnnounceFailed as error:
        log.warning("announce_failed count=%d reason=%s", count, error)

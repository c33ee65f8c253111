"""Delivered items as the changes that the API and the socket show."""

import json

from lib.rendering.delivered_items import DeliveredItems
from models.inbox.rendering import Change


def as_changes(delivered: DeliveredItems) -> list[Change]:
    """One change for each item."""
    epoch = delivered.epoch
    if epoch is None:
        return []
    rows = zip(delivered.places, delivered.recipients, delivered.versions, strict=True)
    counts = zip(delivered.unread, delivered.unseen, strict=True)
    return [
        Change(recipient, version, _added(version, delivered.items[place]), unread, unseen, epoch)
        for (place, recipient, version), (unread, unseen) in zip(rows, counts, strict=True)
    ]


def _added(version: int, item: str) -> dict[str, object]:
    shown = {"seq": version, "version": version, **json.loads(item)}
    return {"version": version, "change": "added", "item": shown}

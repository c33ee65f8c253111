"""Items arrive in inboxes: each takes the next version of its inbox, under that inbox's lock."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from lib.rendering.delivered_items import DeliveredItems
from models.db.database import Connection
from models.inbox.rendering import render_new_item
from models.inbox.versions import Delta, advance
from models.schema.inbox import inbox_items

FILTERS = ("kind", "topic", "severity", "actor")  # copied to each item, so that an inbox is filtered by index


def write_items(conn: Connection, pairs: Sequence[tuple[Row[Any], str]], now: datetime) -> DeliveredItems:
    """Give each (notification, recipient), in this order, the recipient's next version, and write the item.

    For any database; PostgreSQL does so at once: see `models.delivery.postgres`.
    """
    if not pairs:
        return DeliveredItems()
    later = Counter(recipient for _, recipient in pairs)
    after = advance(conn, {recipient: Delta(n, n, n) for recipient, n in later.items()}, now)
    rendered = {row.id: render_new_item(row.content) for row, _ in pairs}
    places = {id_: place for place, id_ in enumerate(rendered)}
    delivered = DeliveredItems(list(rendered.values()), epoch=next(iter(after.values())).epoch)
    rows = []
    for row, recipient in pairs:
        later[recipient] -= 1
        left, inbox = later[recipient], after[recipient]
        seq = inbox.version - left
        delivered.add(places[row.id], recipient, seq, inbox.unread - left, inbox.unseen - left)
        filters = {name: getattr(row, name) for name in FILTERS}
        rows.append({"recipient_id": recipient, "seq": seq, "version": seq, "notification_id": row.id, **filters})
    conn.execute(inbox_items.insert(), rows)
    return delivered

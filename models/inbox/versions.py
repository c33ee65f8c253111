"""The version and the counts of each inbox. A change of an inbox takes its next version here, under its row lock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from models.db.database import Connection, execute_prepared
from models.db.insert import insert_into
from models.schema.inbox import epoch, inboxes

EPOCH = select(epoch.c.epoch).scalar_subquery()


@dataclass(frozen=True)
class Delta:
    """What a change adds to an inbox: versions, and counts (which may be negative)."""

    versions: int
    unread: int
    unseen: int


def lock_inboxes(conn: Connection, recipient_ids: Sequence[str], *, skip_locked: bool = False) -> list[str]:
    """Lock inboxes until the transaction ends, in the order of recipients; returns those that exist.

    Every transaction that changes an inbox or its items holds this lock. With `skip_locked`, inboxes that another
    transaction has locked are left out.
    """
    rows = select(inboxes.c.recipient_id).where(inboxes.c.recipient_id.in_(recipient_ids))
    in_order = rows.order_by(inboxes.c.recipient_id)
    # FOR NO KEY UPDATE: inserting a row that refers to the inbox (a subscription) does not wait.
    return list(conn.scalars(in_order.with_for_update(key_share=True, skip_locked=skip_locked)))


_LOCK_ONE = (
    select(inboxes.c.recipient_id).where(inboxes.c.recipient_id == bindparam("owner")).with_for_update(key_share=True)
)


def lock_inbox(conn: Connection, recipient_id: str) -> bool:
    """As `lock_inboxes`; False if there is no such inbox."""
    return bool(execute_prepared(conn, _LOCK_ONE, {"owner": recipient_id}))


_ADDED = {
    name: inboxes.c[name] + bindparam(f"more_{name}", type_=inboxes.c[name].type) for name in ("unread", "unseen")
}
_ADVANCE_ONE = (
    update(inboxes)
    .where(inboxes.c.recipient_id == bindparam("owner"))
    .values(version=inboxes.c.version + 1, **_ADDED)
    .returning(inboxes.c.version, inboxes.c.unread, inboxes.c.unseen)
)


def advance_one(conn: Connection, recipient_id: str, more_unread: int, more_unseen: int) -> tuple[int, int, int]:
    """Advance a locked inbox by one version; returns the new version and the new counts, unread and unseen."""
    params = {"owner": recipient_id, "more_unread": more_unread, "more_unseen": more_unseen}
    [(version, unread, unseen)] = execute_prepared(conn, _ADVANCE_ONE, params)
    return version, unread, unseen


def advance(conn: Connection, deltas: Mapping[str, Delta], now: datetime) -> dict[str, Row[Any]]:
    """Advance inboxes, creating those that do not exist; returns their rows afterwards, with the epoch.

    Each row is locked until the transaction ends. They are locked in the order of recipients: two transactions with the
    same recipients wait for each other instead of deadlocking.
    """
    new = insert_into(conn, inboxes)
    advanced = new.on_conflict_do_update(
        index_elements=[inboxes.c.recipient_id],
        set_={name: inboxes.c[name] + new.excluded[name] for name in ("version", "unread", "unseen")},
    ).returning(inboxes.c.recipient_id, inboxes.c.version, inboxes.c.unread, inboxes.c.unseen, EPOCH.label("epoch"))
    rows = [
        {
            "recipient_id": recipient,
            "version": delta.versions,
            "unread": delta.unread,
            "unseen": delta.unseen,
            "changes_since": 0,
            "opened_at": now,
        }
        for recipient, delta in sorted(deltas.items())
    ]
    return {row.recipient_id: row for row in conn.execute(advanced, rows)}

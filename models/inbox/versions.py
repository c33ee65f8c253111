"""The number line of each inbox: who changes an inbox takes its next versions here, and its counts move with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update

from models.db.database import Session, fetch
from models.db.insert import insert_into
from models.schema.inbox import history, inboxes

EPOCH = select(history.c.epoch).scalar_subquery()


@dataclass(frozen=True)
class Step:
    """By how much a change moves an inbox: its version, and its counts (which may go down)."""

    versions: int
    unread: int
    unseen: int


def hold(session: Session, recipient_ids: Sequence[str], *, skip_held: bool = False) -> list[str]:
    """Lock inboxes until the transaction ends, in the order of recipients; answers which there are.

    Whoever changes an inbox or its items holds this lock. With `skip_held`, those that another holds are left out.
    """
    rows = select(inboxes.c.recipient_id).where(inboxes.c.recipient_id.in_(recipient_ids))
    in_order = rows.order_by(inboxes.c.recipient_id)
    # By `key_share`, who merely refers to an inbox (a subscription) need not wait.
    return list(session.scalars(in_order.with_for_update(key_share=True, skip_locked=skip_held)))


_HOLD_ONE = (
    select(inboxes.c.recipient_id).where(inboxes.c.recipient_id == bindparam("owner")).with_for_update(key_share=True)
)


def hold_one(session: Session, recipient_id: str) -> bool:
    """As `hold`; False when there is no such inbox."""
    return bool(fetch(session, _HOLD_ONE, {"owner": recipient_id}))


_MORE = {name: inboxes.c[name] + bindparam(f"more_{name}", type_=inboxes.c[name].type) for name in ("unread", "unseen")}
_MOVE_ONE = (
    update(inboxes)
    .where(inboxes.c.recipient_id == bindparam("owner"))
    .values(version=inboxes.c.version + 1, **_MORE)
    .returning(inboxes.c.version, inboxes.c.unread, inboxes.c.unseen)
)


def move_one(session: Session, recipient_id: str, more_unread: int, more_unseen: int) -> tuple[int, int, int]:
    """Move one inbox, which is held, by one version; answers it, and the counts, as they are afterwards."""
    moved = {"owner": recipient_id, "more_unread": more_unread, "more_unseen": more_unseen}
    [(version, unread, unseen)] = fetch(session, _MOVE_ONE, moved)
    return version, unread, unseen


def move_on(session: Session, steps: Mapping[str, Step], now: datetime) -> dict[str, Row[Any]]:
    """Move inboxes on, new ones from zero; answers their rows as they are afterwards, with the epoch.

    Each row is locked until the transaction ends. The order is that of recipients, so that two transactions with the
    same ones wait for each other instead of deadlocking.
    """
    new = insert_into(session, inboxes)
    moved = new.on_conflict_do_update(
        index_elements=[inboxes.c.recipient_id],
        set_={name: inboxes.c[name] + new.excluded[name] for name in ("version", "unread", "unseen")},
    ).returning(inboxes.c.recipient_id, inboxes.c.version, inboxes.c.unread, inboxes.c.unseen, EPOCH.label("epoch"))
    rows = [
        {
            "recipient_id": recipient,
            "version": step.versions,
            "unread": step.unread,
            "unseen": step.unseen,
            "changes_since": 0,
            "opened_at": now,
        }
        for recipient, step in sorted(steps.items())
    ]
    return {row.recipient_id: row for row in session.execute(moved, rows)}

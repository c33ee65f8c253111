"""Inboxes that somebody holds for long: whoever else is in the same task does not wait for them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update

from models.database import Session
from models.notifications import RELAY_AFTER
from models.numberline import hold
from models.tables import inboxes, notifications


def leave_held(session: Session, ids: Sequence[UUID], now: datetime) -> list[UUID]:
    """Those of `ids`, in their order, whose recipients' inboxes nobody holds at the moment.

    The others get their next turn by the relay soon, and not ever later: that they wait is not their fault.
    """
    named = select(notifications.c.id, notifications.c.recipients).where(notifications.c.id.in_(ids))
    recipients = {row.id: row.recipients or [] for row in session.execute(named)}
    held = _held(session, [name for names in recipients.values() for name in names])
    left = [id_ for id_ in recipients if held.intersection(recipients[id_])]
    if left:
        soon = update(notifications).where(notifications.c.id.in_(left), notifications.c.delivered_at.is_(None))
        session.execute(soon.values(enqueue_at=func.least(notifications.c.enqueue_at, now + RELAY_AFTER)))
    return [id_ for id_ in ids if id_ not in left]


def _held(session: Session, recipients: list[str]) -> set[str]:
    known = session.scalars(select(inboxes.c.recipient_id).where(inboxes.c.recipient_id.in_(recipients))).all()
    return set(known) - set(hold(session, recipients, skip_held=True))

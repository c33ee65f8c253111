"""Skips inboxes that another transaction has locked: their notifications are left to the relay, so no worker blocks."""

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from models.db.database import Database
from models.delivery import locked

log = logging.getLogger(__name__)


class LockedInboxes:
    """The locked inboxes that this process has waited for in vain, until they are free. So it waits for each once.

    Thread-safe: a thread that misses an entry of another waits for that inbox itself.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._locked: frozenset[str] = frozenset()

    def skip_locked(self, ids: Sequence[UUID]) -> list[UUID]:
        """Those of `ids` that name no inbox known to be locked, in order. The relay enqueues the others soon."""
        if not self._locked:
            return list(ids)
        recipients = self._recipients_of(ids)
        known = self._locked
        self._locked -= known - self._locked_of(known)
        return self._leave(ids, recipients)

    def remember_locked(self, ids: Sequence[UUID]) -> list[UUID]:
        """As `skip_locked`, after a delivery of `ids` waited in vain: look first which of their inboxes are locked."""
        recipients = self._recipients_of(ids)
        self._locked |= self._locked_of({name for names in recipients.values() for name in names})
        log.warning("inboxes_locked count=%d", len(self._locked))
        return self._leave(ids, recipients)

    def reschedule(self, ids: Collection[UUID]) -> None:
        with self._database.transaction() as conn:
            locked.reschedule(conn, ids, datetime.now(UTC))

    def _recipients_of(self, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
        with self._database.autocommit() as conn:
            return locked.recipients_of(conn, ids)

    def _locked_of(self, recipients: Collection[str]) -> frozenset[str]:
        with self._database.transaction() as conn:
            return locked.locked_of(conn, recipients)

    def _leave(self, ids: Sequence[UUID], recipients: dict[UUID, list[str]]) -> list[UUID]:
        waiting = {id_ for id_, names in recipients.items() if not self._locked.isdisjoint(names)}
        if waiting:
            self.reschedule(waiting)
        return [id_ for id_ in ids if id_ not in waiting]

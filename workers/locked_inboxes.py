"""The way round an inbox that somebody holds: who is to come into it waits for the relay, and nobody else waits."""

import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from models.db.database import Database
from models.delivery import locked

log = logging.getLogger(__name__)


class LockedInboxes:
    """Those that this process has met and that have not been let go since, so that it waits for each of them once.

    Safe among threads: one that has missed what another learned waits for it itself.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._met: frozenset[str] = frozenset()

    def skip_locked(self, ids: Sequence[UUID]) -> list[UUID]:
        """Those of `ids`, in their order, that need not wait; the others get their next turn by the relay soon."""
        if not self._met:
            return list(ids)
        recipients = self._recipients_of(ids)
        met = self._met
        self._met -= met - self._held_of(met)
        return self._leave(ids, recipients)

    def remember_locked(self, ids: Sequence[UUID]) -> list[UUID]:
        """The same when a delivery of `ids` has waited in vain for one that was not met before."""
        recipients = self._recipients_of(ids)
        self._met |= self._held_of({name for names in recipients.values() for name in names})
        log.warning("inboxes_held count=%d", len(self._met))
        return self._leave(ids, recipients)

    def reschedule(self, ids: Collection[UUID]) -> None:
        with self._database.transaction() as conn:
            locked.reschedule(conn, ids, datetime.now(UTC))

    def _recipients_of(self, ids: Sequence[UUID]) -> dict[UUID, list[str]]:
        with self._database.autocommit() as conn:
            return locked.recipients_of(conn, ids)

    def _held_of(self, recipients: Collection[str]) -> frozenset[str]:
        with self._database.transaction() as conn:
            return locked.locked_of(conn, recipients)

    def _leave(self, ids: Sequence[UUID], recipients: dict[UUID, list[str]]) -> list[UUID]:
        waiting = {id_ for id_, names in recipients.items() if not self._met.isdisjoint(names)}
        if waiting:
            self.reschedule(waiting)
        return [id_ for id_ in ids if id_ not in waiting]

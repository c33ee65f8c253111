"""The door of the pipeline: what many post at once is stored by one INSERT, one COMMIT, and enqueued as one task."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from api.pipeline.enqueue import Enqueuer
from lib.group_commit import GroupCommit
from models.db.database import Database, is_away
from models.notifications import accept as notifications
from models.notifications.accept import IdempotencyKeyReused, NewNotification

TOGETHER_MAX = 128  # notifications in one commit: some megabytes of the largest ones in memory at the most
WAITING_MAX = 512  # posts; beyond these the database is too slow for what comes, and they are told so


class Acceptor:
    """Accepts single notifications, those that come while a commit is under way with the next one."""

    def __init__(self, database: Database, enqueuer: Enqueuer, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._enqueuer = enqueuer
        self._clock = clock
        self._group = GroupCommit(self._accept, max_size=TOGETHER_MAX, max_waiting=WAITING_MAX, is_outage=is_away)

    def accept(self, new: NewNotification) -> UUID:
        """The id; it is committed. Raises `IdempotencyKeyReused`, `DatabaseUnavailable`, or `QueueFull`."""
        return self._group.do(new)

    def _accept(self, new: Sequence[NewNotification]) -> list[UUID | IdempotencyKeyReused]:
        now = self._clock()
        with self._database.write_at_once() as session:
            accepted = notifications.accept_each(session, new, now)
        pairs = zip(new, accepted, strict=True)
        due = [id_ for one, id_ in pairs if isinstance(id_, UUID) and notifications.is_due(one, now)]
        if due:
            self._enqueuer.deliver(list(dict.fromkeys(due)))
        return accepted

"""Publishing: accept, commit, enqueue. Every endpoint that makes a notification comes here.

accept    The rows of the notifications are inserted.
commit    From now on each of them will be delivered, whatever fails next.
enqueue   One Celery task is published for those that are due. If that fails, the relay enqueues them later.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from api.pipeline.enqueue import Enqueuer
from lib.group_commit import GroupCommit
from models.db.database import Connection, Database, is_away
from models.notifications.accept import IdempotencyKeyReused, NewNotification, accept, accept_each, is_due

GROUP_MAX = 128  # notifications in one commit: at most some megabytes in memory
QUEUE_MAX = 512  # waiting requests; with more of them the database is too slow for the load


class Publisher:
    """Publishes notifications. Safe among threads and greenlets."""

    def __init__(self, database: Database, enqueuer: Enqueuer, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._enqueuer = enqueuer
        self._clock = clock
        self._group = GroupCommit(self._publish_group, max_size=GROUP_MAX, max_waiting=QUEUE_MAX, is_outage=is_away)

    def publish(self, new: NewNotification) -> UUID:
        """Publish one notification, by group commit: those that arrive while a commit runs share the next one.

        Raises `IdempotencyKeyReused`, `DatabaseUnavailable` or `QueueFull`.
        """
        return self._group.do(new)

    def publish_all(
        self, new: Sequence[NewNotification], now: datetime, also: Callable[[Connection], object] = lambda _: None
    ) -> list[UUID]:
        """Publish all of them or none, in their order, in a transaction of their own; `also` writes in it too.

        Raises `IdempotencyKeyReused` or `DatabaseUnavailable`.
        """
        with self._database.transaction() as conn:
            ids = accept(conn, new, now)
            also(conn)
        self._enqueue(new, ids, now)
        return ids

    def _publish_group(self, new: Sequence[NewNotification]) -> list[UUID | IdempotencyKeyReused]:
        now = self._clock()
        with self._database.autocommit_write() as conn:
            accepted = accept_each(conn, new, now)
        self._enqueue(new, accepted, now)
        return accepted

    def _enqueue(
        self, new: Sequence[NewNotification], accepted: Sequence[UUID | IdempotencyKeyReused], now: datetime
    ) -> None:
        pairs = zip(new, accepted, strict=True)
        due = [id_ for one, id_ in pairs if isinstance(id_, UUID) and is_due(one, now)]
        if due:
            self._enqueuer.deliver(list(dict.fromkeys(due)))  # two with the same key have the same id

"""One chunk of a fan-out or of a withdrawal. A task runs one, so that direct notifications never wait behind many."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from celery import Task

from models.db.database import Connection, Locked
from models.delivery.fanout import Chunk
from models.retries.errors import PermanentError, classify_errors
from workers import attempts, delivering
from workers.celery import database
from workers.followers import batches_of, enqueue_followers, followers_enqueued

Step = Callable[[Connection, UUID, int, datetime], Chunk]


def is_redelivered(task: Task) -> bool:
    """Whether a worker that had this message died or lost the broker: the message may be why it died."""
    return bool((task.request.delivery_info or {}).get("redelivered"))


def run_chunk(step: Step, notification_id: UUID, size: int, *, counted: bool) -> Chunk:
    """The chunk that this step wrote. It is `finished` where no other is wanted now."""
    with followers_enqueued() as batches:
        if counted and not delivering.claim([notification_id], batches).ids:
            return Chunk([], finished=True)
        try:
            with classify_errors(), database.transaction() as conn:
                chunk = step(conn, notification_id, size, datetime.now(UTC))
        except PermanentError as error:
            delivering.record_failure(notification_id, error, batches, counted=counted)
            return Chunk([], finished=True)
        except Locked:
            delivering.leave_locked([notification_id], counted=counted)
            return Chunk([], finished=True)
        except Exception:
            attempts.refund([notification_id] if counted else [])
            raise
    if chunk.held:
        attempts.refund(chunk.held.held if counted else [])
        delivering.locked_inboxes.reschedule(chunk.held.first_held)
    return chunk


def enqueue_followers_of(task: Task, chunk: Chunk, notification_id: str) -> None:
    """Enqueue what waited for this notification, if the chunk ended it.

    The worker that had a redelivered message may have ended it, and died before it enqueued the followers.
    """
    if chunk.ended:
        enqueue_followers([chunk.ended])
    elif chunk.finished and is_redelivered(task):
        enqueue_followers(batches_of([UUID(notification_id)]))

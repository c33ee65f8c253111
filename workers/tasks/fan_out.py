"""Delivers a broadcast, chunk by chunk."""

from uuid import UUID

from celery import Task

from models.delivery import fanout
from workers.announcing import announce_items
from workers.celery import app
from workers.chunks import enqueue_followers_of, is_redelivered, run_chunk
from workers.queues import FAN_OUT

CHUNK = 2_000  # recipients in one transaction


@app.task(name=FAN_OUT, bind=True)
def fan_out(self: Task, notification_id: str, again: bool = False) -> None:
    """Deliver to the next chunk of the audience. After a crash it goes on where it was."""
    # The workers of the other parts may be gone as well. A task too many finds nothing to do.
    is_resumed = again or is_redelivered(self)
    chunk = run_chunk(fanout.fan_out, UUID(notification_id), CHUNK, counted=is_resumed)
    for _ in range(0 if chunk.finished else fanout.PARTS if is_resumed else chunk.parallelism):
        fan_out.delay(notification_id)  # other threads, or other workers, write the next while these are announced
    announce_items(chunk.items)
    enqueue_followers_of(self, chunk, notification_id)

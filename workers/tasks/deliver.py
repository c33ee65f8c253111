"""Delivers notifications that name their recipients."""

from uuid import UUID

from celery import Task

from workers import delivering
from workers.celery import app
from workers.chunks import is_redelivered
from workers.queues import DELIVER


@app.task(name=DELIVER, bind=True)
def deliver(self: Task, ids: list[str], again: bool = False) -> None:
    """Write the items of these notifications and announce them. Broadcasts among them are left to fan-outs.

    `again` (of all tasks that take it): the notification was enqueued before. Then each attempt is counted before it
    is made.
    """
    redelivered = is_redelivered(self)
    delivering.deliver([UUID(one) for one in ids], counted=again or redelivered, redelivered=redelivered)

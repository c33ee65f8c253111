"""Deletes data older than its retention, and counts who saw and read large broadcasts."""

from workers import maintenance
from workers.celery import app
from workers.queues import MAINTENANCE


@app.task(name=MAINTENANCE)
def purge_expired() -> None:
    """Run every step of the maintenance."""
    maintenance.run_steps()

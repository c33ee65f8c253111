"""Entry point of `celery -A workers`: the environment becomes the application, the database and the announcer."""

import logging
import sys
from datetime import timedelta
from typing import Any

from celery.signals import beat_init, setup_logging, worker_init

from lib import failpoints
from models.db.database import Database, DatabaseUnusable
from models.retention import Retention
from push.broker.announcer import Announcer
from settings import WORKER, SettingsError, load_settings
from telemetry.logs import configure_logging
from workers.broker import redis_transport
from workers.queues import make_celery

LOCK_SECONDS = 0.5  # for an inbox that somebody holds: its notifications wait for the relay, a thread for nobody

try:
    settings = load_settings(uses=WORKER)
except SettingsError as error:
    sys.exit(str(error))

failpoints.arm(settings.failpoint)
redis_transport.install()
app = make_celery(settings.broker_url)
app.conf.worker_consumer = "workers.broker.strict_consumer:StrictConsumer"
database = Database(settings.database_url, lock_seconds=LOCK_SECONDS, pooler=settings.database_pooler)
announcer = Announcer(settings.broker_url)
retention = Retention(timedelta(days=settings.retention_days), timedelta(days=settings.changes_retention_days))


@setup_logging.connect
def _log_like_the_rest_of_belfry(**_: Any) -> None:
    configure_logging(settings.log_level)
    for two_lines_a_task in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(two_lines_a_task).setLevel("DEBUG" if settings.log_level == "DEBUG" else "WARNING")


@worker_init.connect
@beat_init.connect
def _refuse_an_unusable_database(**_: Any) -> None:
    try:
        database.refuse_unusable()
    except DatabaseUnusable as error:
        sys.exit(str(error))

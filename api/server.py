"""The API in gunicorn: one process, its requests in greenlets."""

import logging
import resource
import socket
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from api.app import create_app
from api.framework.concurrency import WaitingRoom
from api.framework.rate_limits import RateLimits
from api.monitoring.stalls import StallMonitor
from api.pipeline.enqueue import Enqueuer
from auth.tokens import verifier_for
from lib import failpoints
from lib.exit_codes import EXIT_UNUSABLE
from lib.listening import CannotListen, listen
from models.db.database import Database, DatabaseUnusable
from push.broker.announcer import Announcer
from settings import API, WAITING_MOST, Settings, SettingsError, load_settings
from telemetry.errors import describe
from telemetry.logs import configure_logging

BACKLOG = 2048
# Bytes, gunicorn's largest and nginx's default: every filter of a query at its limit, percent-encoded, with a cursor.
REQUEST_LINE_MAX = 8190
CONNECTIONS = 2 * WAITING_MOST  # refusals and health checks always find one
FILES_BESIDE = 100  # the database's, the broker's, the log's
LOCK_SECONDS = (
    3.0  # so long a change of an inbox waits for another's; in a queue twice; then others have the connection
)


log = logging.getLogger(__name__)


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's own messages, in our one format; without addresses and queries."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.setLevel(logging.ERROR)  # below, it writes the address of whoever sends no HTTP

    def exception(self, _message: str, *_request: object, **_more: object) -> None:
        error = sys.exc_info()[1]
        log.error("connection_failed %s", describe(error) if error else "error=None")


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured from settings alone: no file, no command line, no environment of its own."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self.settings = settings
        self.options = gunicorn_options(listener)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker, after the fork: what it makes is never shared between processes."""
        return make_app(self.settings)


def make_app(settings: Settings) -> Flask:
    failpoints.arm(settings.failpoint)
    verifier = verifier_for(settings)
    rates = RateLimits(
        user=settings.rate_limit_user,
        producer=settings.rate_limit_producer,
        redis_url=settings.rate_limit_redis_url,
    )
    database = Database(settings.database_url, lock_seconds=LOCK_SECONDS, pooler=settings.database_pooler)
    enqueuer = Enqueuer(settings.broker_url)
    stalls = StallMonitor(database, enqueuer.check)
    stalls.start()
    return create_app(
        database,
        verifier,
        enqueuer,
        Announcer(settings.broker_url),
        rates,
        WaitingRoom(settings.waiting_max),
        stalls,
        public_api_url=settings.public_api_url,
        public_push_url=settings.public_push_url,
        cors_origins=settings.cors_origins,
        url_schemes=settings.url_schemes,
    )


def gunicorn_options(listener: socket.socket) -> dict[str, Any]:
    return {
        "bind": [f"fd://{listener.detach()}"],
        "worker_class": "api.worker.Worker",
        "workers": 1,  # more of them are more processes of `Procfile`, each with its own numbers at /metrics
        "worker_connections": _connections(),
        "backlog": BACKLOG,
        "limit_request_line": REQUEST_LINE_MAX,
        "keepalive": 5,
        "timeout": 30,  # a process that blocks its loop for so long is replaced
        "graceful_timeout": 15,  # requests in flight get this long to end after SIGTERM
        "accesslog": None,  # addresses and queries are nobody's business; /metrics counts
        "logger_class": ServerLog,
        "proc_name": "belfry-api",
        "control_socket_disable": True,
    }


def _connections() -> int:
    """As many clients at once as there may be open files; common defaults stop at 1,024, and may be raised."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft == resource.RLIM_INFINITY else min(CONNECTIONS, soft - FILES_BESIDE)


def main() -> int:
    """Serve until SIGTERM. The exit code is 2 when the environment is unusable, and stderr says why."""
    try:
        configure_logging("WARNING")  # for what reading the settings has to say
        settings = load_settings(uses=API)
        Database(settings.database_url, pooler=settings.database_pooler).refuse_unusable()
        listener = listen(settings.bind_host, settings.api_port, BACKLOG, "API_PORT")
    except (SettingsError, DatabaseUnusable, CannotListen) as problem:
        print(problem, file=sys.stderr)
        return EXIT_UNUSABLE
    configure_logging(settings.log_level)
    log.info("listening host=%s port=%d", settings.bind_host, settings.api_port)
    Server(settings, listener).run()
    return 0

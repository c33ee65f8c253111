"""The API in gunicorn: one process that serves its requests in greenlets."""

import logging
import resource
import socket
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger

from api.app import create_app
from api.framework.concurrency import ConcurrencyLimit
from api.framework.rate_limits import RateLimits
from api.monitoring.stalls import StallMonitor
from api.pipeline.enqueue import Enqueuer
from auth.tokens import verifier_for
from lib import failpoints
from lib.listening import EXIT_UNUSABLE, CannotListen, listen
from models.db.database import Database, DatabaseUnusable
from push.broker.announcer import Announcer
from settings import API, WAITING_MOST, Settings, SettingsError, load_settings
from telemetry.errors import describe
from telemetry.logs import configure_logging

BACKLOG = 2048
# Bytes: gunicorn's maximum and nginx's default. It holds every filter of a query at its limit, percent-encoded.
REQUEST_LINE_MAX = 8190
CONNECTIONS = 2 * WAITING_MOST  # so that refusals and health checks always get one
OTHER_FILES = 100  # connections to the database and the broker, and the log
LOCK_SECONDS = 3.0  # the longest wait for the lock of an inbox, then the connection serves other requests


log = logging.getLogger(__name__)


class ServerLog(Logger):  # type: ignore[misc]
    """gunicorn's messages in Belfry's format, without addresses and queries."""

    def setup(self, cfg: Any) -> None:
        self.cfg = cfg
        self.error_log.setLevel(logging.ERROR)  # its warnings hold the addresses of clients

    def exception(self, _message: str, *_request: object, **_more: object) -> None:
        error = sys.exc_info()[1]
        log.error("connection_failed %s", describe(error) if error else "error=None")


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by Belfry's settings alone: it reads no file, command line or environment variable."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self.settings = settings
        self.options = gunicorn_options(listener)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """Called in each worker after the fork, so that processes share no connection."""
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
        ConcurrencyLimit(settings.waiting_max),
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
        "workers": 1,  # run more processes of `Procfile` instead: each then has its own /metrics
        "worker_connections": _connections(),
        "backlog": BACKLOG,
        "limit_request_line": REQUEST_LINE_MAX,
        "keepalive": 5,
        "timeout": 30,  # a process whose event loop is blocked this long is replaced
        "graceful_timeout": 15,  # requests in flight get this long to end after SIGTERM
        "accesslog": None,  # it would hold addresses and queries; /metrics counts requests
        "logger_class": ServerLog,
        "proc_name": "belfry-api",
        "control_socket_disable": True,
    }


def _connections() -> int:
    """The number of connections that the limit of open files allows, after raising it: 1,024 is a common default."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft == resource.RLIM_INFINITY else min(CONNECTIONS, soft - OTHER_FILES)


def main() -> int:
    """Serve until SIGTERM. Returns the exit code: 2 if the settings do not allow a start; stderr says why."""
    try:
        configure_logging("WARNING")  # for warnings about the settings
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

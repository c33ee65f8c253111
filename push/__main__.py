"""`python -m push`: one push server, with its settings from the environment."""

# ruff: noqa: E402  (the modules below must be imported after monkey.patch_all)
import gc

gc.disable()  # while modules are loaded: collections were a sixth of the start-up time and freed nothing

from gevent import monkey

monkey.patch_all()

import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType

import gevent

from auth.revocations import ReadRevocations
from auth.tokens import verifier_for
from lib.listening import EXIT_UNUSABLE, CannotListen, listen
from models.db.database import Database, DatabaseUnusable
from models.revocations import all_revocations
from push.server import BACKLOG, HTTP_MAX, Limits, PushServer
from settings import PUSH, Settings, SettingsError, load_settings
from telemetry.errors import describe
from telemetry.log_sampling import SamplingFilter
from telemetry.logs import configure_logging

log = logging.getLogger("push")

GC_THRESHOLD = 10_000  # objects; with Python's default of 700, collections were a sixth of the CPU time of a connect
RESERVED_FILES = 100  # file descriptors that are not connections


def main() -> int:
    try:
        configure_logging("WARNING")  # until the settings say the level
        settings = load_settings(uses=PUSH)
        configure_logging(settings.log_level)
        for handler in logging.getLogger().handlers:
            handler.addFilter(SamplingFilter())
        server = _server(settings)
    except (SettingsError, DatabaseUnusable, CannotListen) as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    gevent.get_hub().print_exception = _log_exception
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    gc.enable()
    log.info("push_serves host=%s port=%d", settings.bind_host, settings.push_port)
    server.run()
    log.info("push_stopped")
    return 0


def _server(settings: Settings) -> PushServer:
    return PushServer(
        sock=listen(settings.bind_host, settings.push_port, BACKLOG, "PUSH_PORT"),
        broker_url=settings.broker_url,
        verifier=verifier_for(settings),
        origins=settings.cors_origins,
        limits=_limits(settings),
        read_revocations=_revocations_reader(settings),
        on_death=_exit,
    )


def _limits(settings: Settings) -> Limits:
    """The limits that are set, lowered to what the limit of open files allows.

    Beyond that, neither clients nor health checks could connect.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sockets = min(settings.push_max_sockets, max(hard - HTTP_MAX - RESERVED_FILES, hard // 2))
    if sockets < settings.push_max_sockets:
        log.warning("few_files_may_be_open files=%d sockets=%d wanted=%d", hard, sockets, settings.push_max_sockets)
    return Limits(sockets, settings.push_max_sockets_per_user)


def _revocations_reader(settings: Settings) -> ReadRevocations:
    """The only query of this process."""
    database = Database(settings.database_url, pooler=settings.database_pooler)
    database.refuse_unusable()

    def read(since: datetime | None) -> Mapping[str, datetime]:
        with database.autocommit() as conn:
            return all_revocations(conn, since)

    return _in_thread(read) if database.engine.dialect.name == "sqlite" else read  # SQLite would block the event loop


def _in_thread(read: ReadRevocations) -> ReadRevocations:
    """Run `read` in gevent's thread pool. Errors are returned from the thread, as gevent logs those that it raises."""

    def read_or_error(since: datetime | None) -> Mapping[str, datetime] | Exception:
        try:
            return read(since)
        except Exception as error:
            return error

    def read_in_thread(since: datetime | None) -> Mapping[str, datetime]:
        result: Mapping[str, datetime] | Exception = gevent.get_hub().threadpool.apply(read_or_error, (since,))
        if isinstance(result, Exception):
            raise result
        return result

    return read_in_thread


def _exit(greenlet: gevent.Greenlet) -> None:
    """End the process when a background greenlet has ended, so that it is restarted: it could not work without it."""
    log.critical("background_greenlet_died %s", describe(greenlet.exception) if greenlet.exception else "it returned")
    os._exit(1)


def _log_exception(_context: object, _kind: type[BaseException], error: BaseException, _tb: TracebackType) -> None:
    log.error("greenlet_failed %s", describe(error))


if __name__ == "__main__":
    sys.exit(main())

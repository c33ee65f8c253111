"""`python -m push`: one push server, with its settings from the environment."""

# ruff: noqa: E402  (everything below must find its modules patched)
import gc

gc.disable()  # until all is loaded: what is loaded stays, and looking for garbage in it was a sixth of the start

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

from auth.tokens import verifier_for
from lib.listening import EXIT_UNUSABLE, CannotListen, listen
from models.db.database import Database, DatabaseUnusable
from models.revocations import all_revocations
from push.revocations import Load
from push.server import BACKLOG, HTTP_MAX, Limits, PushServer
from settings import PUSH, Settings, SettingsError, load_settings
from telemetry.errors import describe
from telemetry.log_sampling import SamplingFilter
from telemetry.logs import configure_logging

log = logging.getLogger("push")

GARBAGE_THRESHOLD = 10_000  # objects; at Python's 700 looking for garbage was a sixth of what a connect costs
OWN_FILES = 100  # that this process has open beside its connections


def main() -> int:
    try:
        configure_logging("WARNING")  # for what reading the settings has to say
        settings = load_settings(uses=PUSH)
        configure_logging(settings.log_level)
        for handler in logging.getLogger().handlers:
            handler.addFilter(SamplingFilter())
        server = _server(settings)
    except (SettingsError, DatabaseUnusable, CannotListen) as error:
        print(error, file=sys.stderr)
        return EXIT_UNUSABLE
    gevent.get_hub().print_exception = _log_stray
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, server.stop)
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
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
        load_revocations=_reader(settings),
        on_death=_die,
    )


def _limits(settings: Settings) -> Limits:
    """As set, or as many as this process may have files open: beyond that nobody could connect, nor ask for health."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    sockets = min(settings.push_max_sockets, max(most - HTTP_MAX - OWN_FILES, most // 2))
    if sockets < settings.push_max_sockets:
        log.warning("few_files_may_be_open files=%d sockets=%d wanted=%d", most, sockets, settings.push_max_sockets)
    return Limits(sockets, settings.push_max_sockets_per_user)


def _reader(settings: Settings) -> Load:
    """Asks the database, the only time that this process does, which users' tokens were taken back."""
    database = Database(settings.database_url, pooler=settings.database_pooler)
    database.refuse_unusable()

    def read(since: datetime | None) -> Mapping[str, datetime]:
        with database.glance() as session:
            return all_revocations(session, since)

    return _in_thread(read) if database.engine.dialect.name == "sqlite" else read  # SQLite waits without gevent


def _in_thread(read: Load) -> Load:
    """The error is carried over as a value: gevent would also log one that a thread raises."""

    def attempt(since: datetime | None) -> Mapping[str, datetime] | Exception:
        try:
            return read(since)
        except Exception as error:
            return error

    def load(since: datetime | None) -> Mapping[str, datetime]:
        found: Mapping[str, datetime] | Exception = gevent.get_hub().threadpool.apply(attempt, (since,))
        if isinstance(found, Exception):
            raise found
        return found

    return load


def _die(greenlet: gevent.Greenlet) -> None:
    """A server that no longer hears or times would go on as if nothing had happened: better that it is restarted."""
    log.critical("background_greenlet_died %s", describe(greenlet.exception) if greenlet.exception else "it returned")
    os._exit(1)


def _log_stray(_context: object, _kind: type[BaseException], error: BaseException, _tb: TracebackType) -> None:
    log.error("greenlet_failed %s", describe(error))


if __name__ == "__main__":
    sys.exit(main())
